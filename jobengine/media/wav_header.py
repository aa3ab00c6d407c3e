"""What stands before the sound in a Broadcast WAVE file: bext, title, format and sizes.

RIFF becomes RF64 (EBU Tech 3306) when 32-bit sizes end: space for ``ds64`` is reserved as ``JUNK``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from jobengine.media.bext import Bext

RIFF_LIMIT_BYTES = 0xFFFFFFFF
_IN_DS64 = 0xFFFFFFFF
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_FIRST, _DS64, _JUNK = struct.Struct("<4sI4s"), struct.Struct("<4sIQQQI"), struct.Struct("<4sI28x")
_CHUNK, _SIZE = struct.Struct("<4sI"), struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class WavForm:
    """What the file shall be. ``limit_bytes`` is where RIFF ends; only tests lower it."""

    sample_rate: int
    channels: int
    resolution_bit: int
    bext: Bext
    channel_mask: int = 0
    rf64: bool = True
    levl: bool = True
    block_samples: int = 16_384
    limit_bytes: int = RIFF_LIMIT_BYTES

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.resolution_bit // 8


class WavHeader:
    """The header of one file. Its length never changes."""

    def __init__(self, form: WavForm) -> None:
        fixed = _fixed_chunks(form)
        before = bytes(_FIRST.size + _DS64.size)
        self._octets = bytearray(before + fixed + _CHUNK.pack(b"data", 0))
        self.size_bytes = len(self._octets)
        self._data_place = self.size_bytes - _SIZE.size
        self._fact_place = len(before) + len(fixed) - _SIZE.size if form.resolution_bit == 32 else None

    def octets(self, samples: int, data_bytes: int, riff_bytes: int, is_rf64: bool) -> bytearray:
        """The whole header for so much sound, valid until the next call.

        ``riff_bytes`` is all that follows the first size.
        """
        octets = self._octets
        if is_rf64:
            _FIRST.pack_into(octets, 0, b"RF64", _IN_DS64, b"WAVE")
            _DS64.pack_into(octets, _FIRST.size, b"ds64", 28, riff_bytes, data_bytes, samples, 0)
        else:
            _FIRST.pack_into(octets, 0, b"RIFF", riff_bytes, b"WAVE")
            _JUNK.pack_into(octets, _FIRST.size, b"JUNK", 28)
        _SIZE.pack_into(octets, self._data_place, _IN_DS64 if is_rf64 else data_bytes)
        if self._fact_place is not None:
            _SIZE.pack_into(octets, self._fact_place, _IN_DS64 if is_rf64 else min(samples, _IN_DS64))
        return octets


def _fixed_chunks(form: WavForm) -> bytes:
    """bext, title, fmt and, last and with an open count, fact."""
    body = form.bext.body()
    chunks = struct.pack("<4sI", b"bext", len(body)) + body + _info_chunk(form.bext.description)
    chunks += _format_chunk(form)
    return chunks + struct.pack("<4sII", b"fact", 4, 0) if form.resolution_bit == 32 else chunks


def _info_chunk(title: str) -> bytes:
    text = title.encode() + b"\0"
    text += b"\0" * (len(text) % 2)
    head = struct.pack("<4sI4s4sI", b"LIST", 12 + len(text), b"INFO", b"INAM", len(text))
    return head + text if title else b""


def _format_chunk(form: WavForm) -> bytes:
    tag = _FLOAT if form.resolution_bit == 32 else _PCM
    is_plain = form.channels <= 2 and form.resolution_bit == 16
    rate, frame = form.sample_rate, form.frame_bytes
    common = struct.pack("<HIIHH", form.channels, rate, rate * frame, frame, form.resolution_bit)
    if is_plain:
        return struct.pack("<4sIH", b"fmt ", 16, tag) + common
    extension = struct.pack("<HHIH", 22, form.resolution_bit, form.channel_mask, tag) + _GUID_TAIL
    return struct.pack("<4sIH", b"fmt ", 40, _EXTENSIBLE) + common + extension
