"""The Broadcast Wave extension chunk, version 1 (EBU Tech 3285), and its OriginatorReference (EBU R 99)."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from datetime import datetime

_BODY = struct.Struct("<256s32s32s10s8sIIH64s190s")
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Bext:
    """What the chunk says. ``time_reference`` counts samples since midnight in ``start``'s zone."""

    description: str
    originator: str
    originator_reference: str
    start: datetime
    time_reference: int

    def body(self) -> bytes:
        """The 602 bytes after the chunk's header."""
        return _BODY.pack(
            _fit(self.description, 256),
            _fit(self.originator, 32),
            _fit(self.originator_reference, 32),
            self.start.strftime("%Y-%m-%d").encode(),
            self.start.strftime("%H:%M:%S").encode(),
            self.time_reference & 0xFFFFFFFF,
            self.time_reference >> 32,
            1,
            b"",
            b"",
        )


def samples_since_midnight(start: datetime, rate: int) -> int:
    """The TimeReference of a recording that began at ``start``."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    since = start - midnight
    return (since.seconds * _MICROSECONDS + since.microseconds) * rate // _MICROSECONDS


def originator_reference(country: str, organisation: str, serial: str, start: datetime) -> str:
    """CC OOO serial HHMMSS random: 2, 3, 12, 6 and 9 characters. The serial is cut or filled with zeros."""
    letters = "".join(letter for letter in serial.upper() if letter.isascii() and letter.isalnum())
    number = secrets.randbelow(10**9)
    return f"{country.upper()}{organisation.upper()}{letters[:12]:0<12}{start:%H%M%S}{number:09d}"


def _fit(text: str, size_bytes: int) -> bytes:
    """UTF-8, cut between characters. The standard knows ASCII only; readers of today show UTF-8."""
    return text.encode()[:size_bytes].decode(errors="ignore").encode()
