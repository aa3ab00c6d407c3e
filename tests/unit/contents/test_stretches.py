"""Stretches of old segments: every piece is in one, near pieces share it, however they stand; what stands
alone is read."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from jobengine.contents.embedded.maps import SegmentMap
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.segments import Segments
from jobengine.contents.embedded.stretches import NEAR_BYTES, Span, Stretches
from jobengine.errors import UnavailableError

PIECE_BYTES = 1000
SEGMENT_BYTES = 8 << 20
PIECES = 60


@pytest.fixture
def segments(tmp_path: Path) -> Iterator[Segments]:
    segments = Segments(tmp_path, EmbeddedOptions(hot_segments=0))
    for number in (1, 2, 3):
        segments.path(number).write_bytes(bytes([number]) * SEGMENT_BYTES)
    yield segments
    segments.close()


def piece(segment: int, number: int, apart: int = PIECE_BYTES) -> Span:
    return segment, number * apart, number * apart + PIECE_BYTES


def read(segments: Segments, spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Where each piece's stretch begins and ends; fails if the piece is not in it."""
    stretches = Stretches(segments, len(spans), lambda number: spans[number])
    found = []
    for number, (segment, first, end) in enumerate(spans):
        data, base, low, high = stretches.at(number)
        assert low <= first
        assert end <= high
        assert data[first - base : end - base] == bytes([segment]) * PIECE_BYTES
        found.append((low, high))
    return found


def test_neighbours_are_one_stretch_in_each_segment(segments: Segments) -> None:
    spans = [piece(1, number) for number in range(PIECES)] + [piece(2, number) for number in range(PIECES)]

    assert set(read(segments, spans)) == {(0, PIECES * PIECE_BYTES)}


def test_neighbours_from_the_last_one_on_are_one_stretch(segments: Segments) -> None:
    spans = [piece(1, number) for number in reversed(range(PIECES))]

    assert set(read(segments, spans)) == {(0, PIECES * PIECE_BYTES)}


def test_what_is_far_apart_is_read_alone(segments: Segments) -> None:
    spans = [piece(1, number, 2 * NEAR_BYTES) for number in range(PIECES)]

    assert read(segments, spans) == [(first, end) for _, first, end in spans]


@pytest.mark.parametrize("seed", range(5))
def test_pieces_in_any_order_of_any_segments_are_in_their_stretches(segments: Segments, seed: int) -> None:
    chance = random.Random(seed)
    spans = [piece(chance.choice((1, 2, 3)), chance.randrange(8000)) for _ in range(PIECES)]

    assert len(read(segments, spans)) == PIECES


def test_a_small_piece_that_stands_alone_is_read_and_its_segment_not_mapped(segments: Segments) -> None:
    spans = [piece(1, 7), piece(2, 7)]
    stretches = Stretches(segments, len(spans), lambda number: spans[number])

    assert [stretches.at(number)[0] for number in range(2)] == [
        bytes([segment]) * PIECE_BYTES for segment in (1, 2)
    ]


def test_a_large_piece_that_stands_alone_is_not_copied(segments: Segments) -> None:
    span = (1, 0, NEAR_BYTES + 1)

    data, *where = Stretches(segments, 1, lambda _: span).at(0)

    assert isinstance(data, SegmentMap)
    assert where == [0, 0, NEAR_BYTES + 1]


def test_a_piece_of_a_removed_segment_is_not_there(segments: Segments) -> None:
    segments.path(2).unlink()

    with pytest.raises(FileNotFoundError):
        Stretches(segments, 1, lambda _: piece(2, 7)).at(0)


def test_a_piece_behind_the_end_of_its_file_is_refused(segments: Segments) -> None:
    with pytest.raises(UnavailableError, match="segment 1 ends at"):
        Stretches(segments, 1, lambda _: (1, SEGMENT_BYTES - 1, SEGMENT_BYTES + 1)).at(0)


def test_a_piece_that_the_disk_does_not_give_is_refused(
    segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(file: int, length: int, offset: int) -> bytes:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "pread", failing)

    with pytest.raises(UnavailableError, match="can't be read"):
        Stretches(segments, 1, lambda _: piece(1, 7)).at(0)


def test_a_young_segment_is_one_stretch_and_not_brought_in(tmp_path: Path) -> None:
    segments = Segments(tmp_path, EmbeddedOptions())
    segments.path(1).write_bytes(bytes(SEGMENT_BYTES))

    assert Stretches(segments, 1, lambda _: piece(1, 7)).at(0)[1:] == (0, 0, SEGMENT_BYTES)

    segments.close()
