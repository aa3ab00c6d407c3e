"""Fields of the bext chunk that don't fit, and the clock in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from jobengine.media.bext import Bext, originator_reference, samples_since_midnight

START = datetime(2026, 12, 1, 23, 59, 59, 999_999, UTC)


def test_long_text_is_cut_between_characters() -> None:
    body = Bext("ü" * 200, "ab" + "€" * 20, "r", START, 0).body()
    assert body[:256] == ("ü" * 128).encode()
    assert body[256:288].rstrip(b"\0") == ("ab" + "€" * 10).encode()


def test_time_reference_counts_from_midnight() -> None:
    assert samples_since_midnight(START, 192_000) == 86_400 * 192_000 - 1
    assert samples_since_midnight(START.replace(hour=0, minute=0, second=1, microsecond=0), 44_100) == 44_100


def test_large_time_reference_is_split_in_two_words() -> None:
    body = Bext("", "", "", START, 0x1_2345_6789).body()
    assert body[338:346] == bytes.fromhex("8967452301000000")


def test_originator_reference_has_its_32_characters() -> None:
    for host in ("a", "studio-1.example.org", "тест"):
        reference = originator_reference("de", "abc", host, START)
        assert re.fullmatch(r"DEABC[A-Z0-9]{12}235959\d{9}", reference)
