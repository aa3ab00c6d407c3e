"""Savant's own library, which makes and reads messages: loaded when it is first needed, and guarded.

It is the extra ``savant``. Its Rust code panics on some input; a panic is no ``Exception`` in Python and
becomes one here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import msgspec

from jobengine.errors import MediaError
from jobengine.messaging.sockets.codec import UnreadableRecord
from jobengine.messaging.sockets.savant_envelope import open_envelope

Json = Any
_PANIC = "PanicException"
_NAMES = {"is_persistent": "isPersistent", "is_hidden": "isHidden"}
_PLAIN = {ours: theirs for theirs, ours in _NAMES.items()}


@cache
def _module(name: str) -> ModuleType:
    """A module of the library. Raises MediaError if it is not installed."""
    try:
        import_module("savant_rs")
    except ImportError as error:
        text = "the codec savant needs Savant's library: pip install 'jobengine[savant]'"
        raise MediaError(text) from error
    return import_module(f"savant_rs.{name}")


def primitives() -> Any:
    """The classes of frames, ends and attributes. Raises MediaError without the library."""
    return _module("primitives")


@cache
def protocol_version() -> bytes:
    """The version of the protocol that the library speaks."""
    return open_envelope(save(primitives().EndOfStream("version").to_message())).version


def load(record: bytes) -> Any:
    """The library's message. Raises UnreadableRecord."""
    message = guarded(lambda: _module("utils.serialization").load_message_from_bytes(record, False))
    if message.is_unknown():
        raise UnreadableRecord(f"is a Savant message that can't be read: {message.as_unknown()[:200]}")
    return message


def save(message: Any) -> bytes:
    """A message as bytes."""
    return bytes(_module("utils.serialization").save_message_to_bytes(message, False))


def guarded(call: Callable[[], Any]) -> Any:
    """What ``call`` returns. Raises UnreadableRecord when the library panics."""
    try:
        return call()
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise UnreadableRecord(f"made Savant's library panic: {error}") from None


def attributes_of(owner: Any) -> list[dict[str, Json]]:
    """What is said of a frame or of user data, as `jobengine.model.message` keeps it."""
    return [_as_map(owner.get_attribute(*name).json) for name in owner.attributes]


def attribute(said: Mapping[str, Json]) -> Any:
    """The library's attribute. Raises UnreadableRecord for values that it doesn't know."""
    members = {_PLAIN.get(key, key): value for key, value in said.items()}
    try:
        members["values"] = [_theirs(value) for value in said["values"]]
        return primitives().Attribute.from_json(msgspec.json.encode(members).decode())
    except (KeyError, TypeError, ValueError) as error:
        name = f"{said.get('namespace')}/{said.get('name')}"
        raise UnreadableRecord(
            f"has an attribute {name} that Savant's library does not take: {error}"
        ) from error


def _as_map(text: str) -> dict[str, Json]:
    members = {_NAMES.get(key, key): value for key, value in msgspec.json.decode(text).items()}
    members["values"] = [_ours(value) for value in members["values"]]
    return members


def _ours(value: dict[str, Json]) -> dict[str, Json]:
    return value | {"value": {"None": None}} if value["value"] == "None" else value


def _theirs(value: Mapping[str, Json]) -> dict[str, Json]:
    match value["value"]:
        case {"None": None}:
            return {**value, "value": "None"}
        case {"BBox": box}:
            return {**value, "value": {"BBox": _their_box(box)}}
        case {"BBoxVector": boxes}:
            return {**value, "value": {"BBoxVector": list(map(_their_box, boxes))}}
        case _:
            return dict(value)


def _their_box(said: Mapping[str, Json]) -> Json:
    """A box with all members that this version of the library wants of one."""
    sides = said["xc"], said["yc"], said["width"], said["height"]
    box = _module("primitives.geometry").RBBox(*sides, said.get("angle"))
    return msgspec.json.decode(primitives().AttributeValue.bbox(box).json)["value"]["BBox"]


def differing(wanted: Sequence[Mapping[str, Json]], owner: Any) -> list[Mapping[str, Json]]:
    """Those of ``wanted`` that the frame has not, or not with these values."""
    there = attributes_of(owner)
    return [each for each in wanted if each not in there]
