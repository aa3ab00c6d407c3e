"""Commands as Redis reads them, without copying what is large.

Only packing is ours, because it is most of what storing costs; connections, retries and replies are
redis-py's. A `Rope` is one word made of many buffers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jobengine.ports.contents import Buffer

_LARGE_BYTES: Final = 8 * 1024
"""From here on a buffer is sent from where it lies."""


@dataclass(frozen=True, slots=True)
class Rope:
    """Buffers of bytes that are one string in Redis."""

    buffers: Sequence[Buffer]
    length: int


Word = Buffer | str | int | Rope
Command = Sequence[Word]


def pack(commands: Sequence[Command]) -> list[Buffer]:
    """What to send, in this order."""
    packed: list[Buffer] = []
    small: list[Buffer] = []
    for command in commands:
        small.append(b"*%d\r\n" % len(command))
        for word in command:
            if isinstance(word, bytes) and len(word) < _LARGE_BYTES:
                small.append(b"$%d\r\n%b\r\n" % (len(word), word))
            elif isinstance(word, str | int):
                text = str(word).encode()
                small.append(b"$%d\r\n%b\r\n" % (len(text), text))
            else:
                rope = word if isinstance(word, Rope) else Rope((word,), len(word))
                small.append(b"$%d\r\n" % rope.length)
                _add(rope, packed, small)
                small.append(b"\r\n")
    packed.append(b"".join(small))
    return packed


def _add(rope: Rope, packed: list[Buffer], small: list[Buffer]) -> None:
    for buffer in rope.buffers:
        if len(buffer) < _LARGE_BYTES:
            small.append(buffer)
        else:
            if small:
                packed.append(b"".join(small))
                small.clear()
            packed.append(buffer)
