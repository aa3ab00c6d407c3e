"""Maps of segments: what stays mapped, and what is let go."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobengine.contents.embedded.maps import SegmentMaps
from jobengine.contents.embedded.options import EmbeddedOptions

SIZE = 4096


@pytest.fixture
def maps(tmp_path: Path) -> Iterator[SegmentMaps]:
    for number in range(1, 6):
        (tmp_path / str(number)).write_bytes(bytes([number]) * SIZE)
    maps = SegmentMaps(lambda number: tmp_path / str(number), EmbeddedOptions(hot_segments=2))
    maps.note(5)
    yield maps
    maps.close()


def test_segments_that_others_removed_are_let_go_with_the_next_that_is_mapped(
    maps: SegmentMaps, tmp_path: Path
) -> None:
    kept, first, second = (weakref.ref(maps.mapped(number, SIZE)) for number in (3, 4, 5))
    (tmp_path / "4").unlink()
    maps.mapped(1, SIZE)
    (tmp_path / "5").unlink()
    assert first() is None
    assert second() is not None

    maps.mapped(2, SIZE)

    assert second() is None
    assert kept() is None  # the third of the old ones


def test_what_was_removed_stays_readable_for_who_holds_a_view(maps: SegmentMaps, tmp_path: Path) -> None:
    view = memoryview(maps.mapped(4, SIZE))
    (tmp_path / "4").unlink()
    maps.mapped(1, SIZE)

    assert bytes(view) == bytes([4]) * SIZE
    with pytest.raises(FileNotFoundError):
        maps.mapped(4, 2 * SIZE)


def test_a_segment_that_has_grown_is_mapped_anew(maps: SegmentMaps, tmp_path: Path) -> None:
    assert len(maps.mapped(5, SIZE)) == SIZE
    with (tmp_path / "5").open("ab") as file:
        file.write(bytes(SIZE))

    assert len(maps.mapped(5, SIZE + 1)) == 2 * SIZE
