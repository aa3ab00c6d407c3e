"""What the attributes of a stored element say beyond its media, for elements that travel as messages.

Some members of the map in `jobengine.model.element.Element.attributes` have a meaning for all who send or
receive messages; the rest is passed on unread:

- ``message``: what the element is if it is no media: ``endOfStream``, ``userData``, ``unknown``;
- ``labels``: routing labels, a list of text;
- ``attributes``: things said of the element, a list of maps with ``namespace``, ``name``, ``values``,
  ``hint``, ``isPersistent``, ``isHidden``; each (namespace, name) once;
- ``shift``: how many ticks the element's times are from those in the message that it came with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import msgspec

from jobengine.model.element import PTS_MAX, PTS_MIN, Element

Json = Any
Collision = Literal["replace", "keep", "fail"]


class Message(StrEnum):
    """What an element is that is no media."""

    END_OF_STREAM = "endOfStream"
    USER_DATA = "userData"
    UNKNOWN = "unknown"


class AttributeCollision(ValueError):
    """An element has an attribute of this name already; the text is a sentence."""


class TimeOutOfRange(ValueError):
    """A time that is no signed number of 64 bits; the text is a sentence."""


class _Said(msgspec.Struct):
    """An attribute, as far as it is looked at here."""

    namespace: str
    name: str
    values: list[msgspec.Raw] = []


class _Known(msgspec.Struct):
    """The members that have a meaning. Reading them tells that they are what they should be."""

    message: str = ""
    labels: list[str] = []
    attributes: list[_Said] = []
    shift: int = 0


_known = msgspec.msgpack.Decoder(_Known)
_map = msgspec.msgpack.Decoder(dict[str, Any])
_pack = msgspec.msgpack.Encoder().encode


def message_of(element: Element) -> Message | None:
    """What an element is if it is no media; None: a packet or a frame.

    Attributes that can't be read, members that are not what they should be, or a kind of a later version
    are ``UNKNOWN``: whoever sends leaves such an element out instead of failing on it.
    """
    if not element.attributes:
        return None
    try:
        text = _known.decode(element.attributes).message
        return Message(text) if text else None
    except (msgspec.MsgspecError, ValueError):
        return Message.UNKNOWN


def message_attributes(message: Message, labels: Sequence[str] = ()) -> bytes:
    """The attributes of an element that is no media."""
    members: dict[str, Json] = {"message": str(message)}
    return _pack({**members, "labels": list(labels)} if labels else members)


def labels_of(attributes: bytes) -> list[str]:
    """The routing labels in the attributes of an element."""
    return list(_map.decode(attributes).get("labels", ())) if attributes else []


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What one job changes in every element that it sends.

    ``labels`` None leaves them; ``append`` adds them after those that are there, without a second look.
    ``attributes`` are added to media only; ``collision`` says what happens to one that is there already.
    """

    labels: tuple[str, ...] | None = None
    append: bool = False
    attributes: tuple[Mapping[str, Json], ...] = ()
    collision: Collision = "replace"

    @property
    def changes_nothing(self) -> bool:
        """Whether elements pass as they are."""
        return self.labels is None and not self.attributes

    def of(self, element: Element, shift: int = 0) -> Element:
        """The element as it is sent, its times moved by ``shift`` ticks.

        Raises AttributeCollision, TimeOutOfRange.
        """
        if shift:
            element = _moved(element, shift)
        if self.changes_nothing:
            return element
        members = _map.decode(element.attributes) if element.attributes else {}
        if self.labels is not None:
            members["labels"] = self.new_labels(members.get("labels", ()))
        if self.attributes:
            members["attributes"] = self._joined(members.get("attributes", ()))
        return msgspec.structs.replace(element, attributes=_pack(members))

    def new_labels(self, labels: Sequence[str]) -> list[str]:
        """The routing labels in place of ``labels``."""
        if self.labels is None:
            return list(labels)
        return [*labels, *self.labels] if self.append else list(self.labels)

    def _joined(self, there: Sequence[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
        by_name = {(each["namespace"], each["name"]): each for each in there}
        for attribute in self.attributes:
            name = (attribute["namespace"], attribute["name"])
            if name in by_name and self.collision == "fail":
                raise AttributeCollision(f"an element has an attribute {'/'.join(name)} already")
            if name not in by_name or self.collision == "replace":
                by_name[name] = attribute
        return list(by_name.values())


def _moved(element: Element, shift: int) -> Element:
    """The element at other times; the message that it came with is told."""
    pts, dts = (None if ticks is None else ticks + shift for ticks in (element.pts, element.dts))
    for ticks in (shift, pts, dts):
        if ticks is not None and not PTS_MIN <= ticks <= PTS_MAX:
            raise TimeOutOfRange(
                f"an element would have the time {ticks}, which is not a signed number of 64 bits"
            )
    attributes = element.attributes
    if attributes:
        members = _map.decode(attributes)
        attributes = _pack({**members, "shift": members.get("shift", 0) + shift})
    return msgspec.structs.replace(element, pts=pts, dts=dts, attributes=attributes)
