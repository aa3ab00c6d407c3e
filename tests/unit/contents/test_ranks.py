"""Counted look-ups are right whatever the times are like, and segments are shared by lifetime."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jobengine.contents.embedded.log import lifetime_class
from jobengine.contents.embedded.ranks import LARGEST_BUCKET, SMALLEST_BUCKET, bucket_bits
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind
from jobengine.ports.contents import DeleteElements, PutElement
from tests.unit.contents.files import opened

COUNT = 1500
SECOND_US = 1_000_000


@pytest.mark.parametrize("duration", [None, 0, 1, 3003, 10**9, PTS_MAX])
@pytest.mark.parametrize("spread", [10, COUNT * 3003, 2**45, 2**64])
def test_the_nth_element_is_found_at_any_spacing(tmp_path: Path, spread: int, duration: int | None) -> None:
    chance = random.Random(spread)
    low = max(PTS_MIN, -spread // 2)
    times = [low + chance.randrange(spread) for _ in range(COUNT)]
    with opened(tmp_path) as store:
        store.commit([PutElement(0, Element(ElementKind.PACKET, pts, duration=duration)) for pts in times])
        cut = sorted(times)[300:400]
        store.commit([DeleteElements(0, cut[0], cut[-1])])
        left = sorted(pts for pts in times if not cut[0] <= pts <= cut[-1])

        for rank in (0, 1, len(left) // 2, len(left) - 1):
            assert [each.element.pts for each in store.nth(0, rank, 2)] == left[rank : rank + 2]
        assert store.nth(0, len(left), 1) == []
        if len(left) > 400:
            first, last = left[50], left[-50]
            inside = [pts for pts in left if first <= pts <= last]
            found = store.range(0, first, last, 300, 2)
            assert [each.element.pts for each in found] == inside[300:302]
            found = store.range(0, first, last, 300, 2, descending=True)
            assert [each.element.pts for each in found] == inside[::-1][300:302]


def test_buckets_hold_some_elements_and_are_bounded() -> None:
    assert bucket_bits(0) == bucket_bits(-5) == bucket_bits(1) == SMALLEST_BUCKET
    assert bucket_bits(PTS_MAX) == LARGEST_BUCKET
    assert 32 <= 2 ** bucket_bits(3003) / 3003 < 64


def test_lifetimes_are_rounded_up_to_powers_of_two() -> None:
    assert lifetime_class(None, 0) == 0
    assert lifetime_class(-5, 0) == lifetime_class(16 * SECOND_US, 0) == 4
    assert lifetime_class(16 * SECOND_US + 1, 0) == 5
    assert lifetime_class(3600 * SECOND_US, 0) == lifetime_class(4096 * SECOND_US, 0) == 12
