"""Stretches of old segments: every piece is in one, near pieces share it, however they stand."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from jobengine.contents.embedded.maps import SegmentMaps
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.stretches import NEAR_BYTES, Span, Stretches

PIECE_BYTES = 1000
SEGMENT_BYTES = 8 << 20
PIECES = 60


@pytest.fixture
def maps(tmp_path: Path) -> Iterator[SegmentMaps]:
    for number in (1, 2, 3):
        (tmp_path / str(number)).write_bytes(bytes([number]) * SEGMENT_BYTES)
    maps = SegmentMaps(lambda number: tmp_path / str(number), EmbeddedOptions(hot_segments=0))
    yield maps
    maps.close()


def piece(segment: int, number: int, apart: int = PIECE_BYTES) -> Span:
    return segment, number * apart, number * apart + PIECE_BYTES


def read(maps: SegmentMaps, spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Where each piece's stretch begins and ends; fails if the piece is not in it."""
    stretches = Stretches(maps, len(spans), lambda number: spans[number])
    found = []
    for number, (segment, first, end) in enumerate(spans):
        mapped, low, high = stretches.at(number)
        assert low <= first
        assert end <= high
        assert mapped[first:end] == bytes([segment]) * PIECE_BYTES
        found.append((low, high))
    return found


def test_neighbours_are_one_stretch_in_each_segment(maps: SegmentMaps) -> None:
    spans = [piece(1, number) for number in range(PIECES)] + [piece(2, number) for number in range(PIECES)]

    assert set(read(maps, spans)) == {(0, PIECES * PIECE_BYTES)}


def test_neighbours_from_the_last_one_on_are_one_stretch(maps: SegmentMaps) -> None:
    spans = [piece(1, number) for number in reversed(range(PIECES))]

    assert set(read(maps, spans)) == {(0, PIECES * PIECE_BYTES)}


def test_what_is_far_apart_is_brought_in_alone(maps: SegmentMaps) -> None:
    spans = [piece(1, number, 2 * NEAR_BYTES) for number in range(PIECES)]

    assert read(maps, spans) == [(first, end) for _, first, end in spans]


@pytest.mark.parametrize("seed", range(5))
def test_pieces_in_any_order_of_any_segments_are_in_their_stretches(maps: SegmentMaps, seed: int) -> None:
    chance = random.Random(seed)
    spans = [piece(chance.choice((1, 2, 3)), chance.randrange(8000)) for _ in range(PIECES)]

    assert len(read(maps, spans)) == PIECES


def test_a_young_segment_is_one_stretch_and_not_brought_in(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(bytes(SEGMENT_BYTES))
    maps = SegmentMaps(lambda number: tmp_path / str(number), EmbeddedOptions())

    assert Stretches(maps, 1, lambda _: piece(1, 7)).at(0)[1:] == (0, SEGMENT_BYTES)

    maps.close()
