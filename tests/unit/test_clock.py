"""Time as text: fixed width, so that it sorts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from jobengine.clock import from_text, to_text


@pytest.mark.parametrize("year", [1, 9, 999, 1970, 2026, 9999])
def test_text_has_a_fixed_width_and_reads_back(year: int) -> None:
    moment = datetime(year, 1, 3, 2, 9, 1, 5, tzinfo=UTC)
    assert to_text(moment) == f"{year:04d}-01-03T02:09:01.000005Z"
    assert from_text(to_text(moment)) == moment


def test_any_offset_becomes_utc() -> None:
    moment = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert to_text(moment) == "2025-12-31T23:00:00.000000Z"
