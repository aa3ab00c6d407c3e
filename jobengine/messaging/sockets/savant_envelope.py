"""The envelope of a Savant message: its version, labels and numbers, without reading what it carries.

A protobuf message whose fields stand in ``Message`` of Savant's protocol: protocol version (1), routing
labels (2), propagated context (3), sequence id (4), one content of 5 to 11, system id (20). The
library neither tells nor sets all of these, and must not be given what has no content.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from jobengine.messaging.sockets.codec import UnreadableRecord

VIDEO_FRAME: Final = 5
USER_DATA: Final = 8
END_OF_STREAM: Final = 9
CONTENTS: Final = range(5, 12)

_VERSION, _LABEL, _SEQUENCE, _SYSTEM = 1, 2, 4, 20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_VARINT_BITS_MAX = 63


@dataclass(slots=True)
class Envelope:
    """One message. ``content_field`` says what ``content`` is; ``others`` are fields kept as they came.
    ``sender`` is empty before protocols that name the system."""

    version: bytes = b""
    labels: list[str] = field(default_factory=list)
    sequence: int = 0
    content_field: int = 0
    content: bytes = b""
    sender: bytes = b""
    others: list[bytes] = field(default_factory=list)

    def packed(self) -> bytes:
        """The message as bytes."""
        pieces = [_bytes_field(_VERSION, self.version)]
        pieces += [_bytes_field(_LABEL, label.encode()) for label in self.labels]
        pieces += self.others
        if self.sequence:
            pieces.append(_varint(_SEQUENCE << 3 | _VARINT) + _varint(self.sequence))
        pieces.append(_bytes_field(self.content_field, self.content))
        if self.sender:
            pieces.append(_bytes_field(_SYSTEM, self.sender))
        return b"".join(pieces)


def open_envelope(record: bytes) -> Envelope:
    """The envelope of a message with exactly one content. Raises UnreadableRecord."""
    envelope = Envelope()
    place, end = 0, len(record)
    try:
        while place < end:
            start = place
            tag, place = _read_varint(record, place)
            number, wire = tag >> 3, tag & 7
            value, place = _read_value(record, place, wire)
            _take(envelope, number, value, record[start:place])
    except (IndexError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"is not a Savant message: {error}") from None
    if not envelope.content_field:
        raise UnreadableRecord("is a Savant message without content")
    return envelope


def _take(envelope: Envelope, number: int, value: int | bytes, raw: bytes) -> None:
    if number in CONTENTS and isinstance(value, bytes):
        envelope.content_field, envelope.content = number, value
    elif number == _VERSION and isinstance(value, bytes):
        envelope.version = value
    elif number == _LABEL and isinstance(value, bytes):
        envelope.labels.append(value.decode())
    elif number == _SEQUENCE and isinstance(value, int):
        envelope.sequence = value
    elif number == _SYSTEM and isinstance(value, bytes):
        envelope.sender = value
    else:
        envelope.others.append(raw)


def _read_value(record: bytes, place: int, wire: int) -> tuple[int | bytes, int]:
    if wire == _VARINT:
        return _read_varint(record, place)
    if wire == _BYTES:
        length, place = _read_varint(record, place)
    else:
        length = {_FIXED64: 8, _FIXED32: 4}.get(wire, len(record))
    if place + length > len(record):
        raise IndexError("a field is longer than the message")
    return record[place : place + length], place + length


def _read_varint(record: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while shift <= _VARINT_BITS_MAX:
        byte = record[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise IndexError("a number is too long")


def _varint(value: int) -> bytes:
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value
