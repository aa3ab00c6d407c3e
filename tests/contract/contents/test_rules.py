"""The rules in force: those that ship, and what is changed of them while the service runs."""

from __future__ import annotations

import threading

import pytest

from jobengine.contents.rules import RuleBook
from jobengine.contents.shipped_rules import SHIPPED
from jobengine.errors import DocumentError, NotFoundError
from jobengine.model.rule import Rule, read_rules
from jobengine.ports.contents import ContentStore

OWN = read_rules({"own": {"pathPattern": "own", "recipe": "summary", "order": 1}})["own"]


@pytest.fixture
def book(store: ContentStore) -> RuleBook:
    return RuleBook(store)


def names(book: RuleBook) -> list[str]:
    return [named.name for named in book.rules()]


def test_shipped_rules_are_sound_and_those_that_cost_are_off(book: RuleBook) -> None:
    documents = {name: rule.document() for name, rule in SHIPPED.items()}

    assert read_rules(documents).keys() == {named.name for named in book.rules()}
    off = ["dataMissing", "equivalents", "fileStore", "fileStoreBatch", "renditions"]
    assert [n.name for n in book.rules() if not n.rule.enabled] == off


def test_null_removes_a_shipped_rule_and_a_change_keeps_the_rest(book: RuleBook) -> None:
    before = book.get("mp4").rule

    book.patch({"jpeg": None, "mp4": {"method": ["GET", "POST"]}})

    assert "jpeg" not in names(book)
    assert book.get("mp4").rule == before.model_copy(update={"method": ["GET", "POST"]})
    assert not book.get("mp4").is_shipped
    assert book.get("png").is_shipped


def test_rules_are_asked_in_order_then_by_name(book: RuleBook) -> None:
    assert book.put("own", OWN)
    assert not book.put("own", OWN)

    assert names(book)[0] == "own"
    assert names(book)[1:] == sorted(names(book)[1:])


def test_a_removed_rule_can_come_back(book: RuleBook) -> None:
    book.remove("png")
    with pytest.raises(NotFoundError):
        book.remove("png")
    with pytest.raises(NotFoundError):
        book.get("png")

    book.put("png", SHIPPED["png"])
    assert "png" in names(book)


def test_a_faulty_patch_changes_nothing(book: RuleBook) -> None:
    with pytest.raises(DocumentError) as refused:
        book.patch({"jpeg": None, "mp4": {"method": 7}, "new": {"recipe": "summary"}})

    assert {fault.pointer for fault in refused.value.faults} == {"/mp4/method/0", "/new/pathPattern"}
    assert "jpeg" in names(book)


def test_another_process_sees_a_change_with_the_next_request(store: ContentStore, book: RuleBook) -> None:
    other = RuleBook(store)
    other.rules()

    book.put("own", OWN)

    assert names(other)[0] == "own"


def test_what_no_rule_can_want_is_told_at_once(book: RuleBook) -> None:
    assert book.may_concern("GET", "/beams/a/0/packet_1.jpg")
    assert book.may_concern("HEAD", "/beams/a/0/packet_1.jpg")
    assert not book.may_concern("PUT", "/beams/a/0/packet_1.jpg")
    assert not book.may_concern("GET", "/beams/a/0/packet_1/data")


def test_a_rule_for_failures_alone_concerns_no_success(book: RuleBook) -> None:
    book.patch({"dataMissing": {"enabled": True}})
    assert not book.may_concern("GET", "/beams/a/0/packet_1/data")

    book.patch({"dataMissing": {"statusCode": []}})
    assert book.may_concern("GET", "/beams/a/0/packet_1/data")


def test_racing_changes_are_all_kept(store: ContentStore) -> None:
    begin = threading.Barrier(8)

    def put(number: int) -> None:
        begin.wait()
        RuleBook(store).put(f"rule-{number}", OWN)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {f"rule-{number}" for number in range(8)} <= set(names(RuleBook(store)))


def test_a_rule_keeps_what_it_was_given() -> None:
    assert Rule.model_validate(OWN.document()) == OWN
