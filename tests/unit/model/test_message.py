"""Labels and attributes of elements are rewritten as the job says; what is no media is recognised."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.model.element import Element, ElementKind
from jobengine.model.message import (
    AttributeCollision,
    Collision,
    Message,
    Rewrite,
    labels_of,
    message_attributes,
    message_of,
)


def element(**members: object) -> Element:
    return Element(ElementKind.PACKET, 0, attributes=msgspec.msgpack.encode(members) if members else b"")


def attribute(name: str, hint: str = "") -> dict[str, object]:
    return {"namespace": "app", "name": name, "hint": hint}


def test_media_is_no_message_whatever_else_it_says() -> None:
    assert message_of(element()) is None
    assert message_of(element(metadata={"message": "endOfStream"}, labels=["a"])) is None


@pytest.mark.parametrize("message", Message)
def test_a_message_is_recognised_with_its_labels(message: Message) -> None:
    stored = Element(ElementKind.PACKET, 0, attributes=message_attributes(message, ["a", "b"]))
    assert (message_of(stored), labels_of(stored.attributes)) == (message, ["a", "b"])


@given(st.binary(max_size=40))
def test_attributes_that_cannot_be_read_are_unknown_and_no_fault(junk: bytes) -> None:
    assert message_of(Element(ElementKind.PACKET, 0, attributes=junk)) in (None, Message.UNKNOWN)


def test_a_message_of_a_later_version_is_unknown() -> None:
    assert message_of(element(message="shutdown")) is Message.UNKNOWN


def test_a_job_that_changes_nothing_passes_the_very_same_element() -> None:
    stored = element(pos=17)
    assert Rewrite().of(stored) is stored


def test_labels_are_replaced_or_appended_without_a_second_look() -> None:
    stored = element(labels=["a"], pos=17)
    replaced = Rewrite(labels=("x", "y")).of(stored)
    appended = Rewrite(labels=("a", "y"), append=True).of(stored)
    assert labels_of(replaced.attributes) == ["x", "y"]
    assert labels_of(appended.attributes) == ["a", "a", "y"]
    assert msgspec.msgpack.decode(appended.attributes)["pos"] == 17


@pytest.mark.parametrize(("collision", "hint"), [("replace", "new"), ("keep", "old")])
def test_a_collision_goes_as_the_policy_says(collision: Collision, hint: str) -> None:
    stored = element(attributes=[attribute("score", "old")])
    rewrite = Rewrite(attributes=(attribute("score", "new"), attribute("more")), collision=collision)
    sent = msgspec.msgpack.decode(rewrite.of(stored).attributes)["attributes"]
    assert sent == [attribute("score", hint), attribute("more")]


def test_a_collision_is_a_fault_if_the_policy_says_so() -> None:
    stored = element(attributes=[attribute("score")])
    with pytest.raises(AttributeCollision, match="app/score"):
        Rewrite(attributes=(attribute("score"),), collision="fail").of(stored)
