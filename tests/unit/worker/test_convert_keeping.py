"""Results lie where they belong, and nothing of them stays for ever."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from jobengine.clock import to_us
from jobengine.errors import MediaError
from jobengine.model.convert import ConvertTarget
from jobengine.model.recipe import Result
from jobengine.model.roots import MediaRoots
from jobengine.ports.work import WorkContext
from jobengine.testing import ManualClock
from jobengine.worker.convert.keeping import Keeper

CLOCK = ManualClock()


@pytest.fixture
def context(tmp_path: Path) -> WorkContext:
    roots = MediaRoots(PurePosixPath(tmp_path / "media"))
    return WorkContext("job", "host", roots, results=str(tmp_path / "results"), result_lifetime_s=10)


def aged(path: Path, age_s: float) -> Path:
    """A file that was written so long ago."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    moment_s = to_us(CLOCK.now()) / 1e6 - age_s
    os.utime(path, (moment_s, moment_s))
    return path


def test_a_result_is_told_with_all_that_an_answer_needs(context: WorkContext, tmp_path: Path) -> None:
    told = Keeper(context, None, CLOCK).keep(Result(b"abc", None, "text/plain", 418, {"X-A": "b"}))

    path = tmp_path / "results" / "job.result"
    assert path.read_bytes() == b"abc"
    assert told == {
        "mediaType": "text/plain",
        "bytes": 3,
        "path": str(path),
        "status": 418,
        "headers": {"X-A": "b"},
    }


def test_a_target_takes_the_file_and_never_overwrites(context: WorkContext, tmp_path: Path) -> None:
    for name in ("a.bin", "a_1.bin"):
        keeper = Keeper(context, ConvertTarget(file_path="a.bin"), CLOCK)
        made = keeper.new_file(".bin")
        made.write_bytes(b"made")
        keeper.keep(Result(file=made))
        keeper.close()

        assert keeper.kept == tmp_path / "media" / name
        assert keeper.kept.read_bytes() == b"made"
    assert list((tmp_path / "results").iterdir()) == []


def test_what_was_begun_and_not_kept_is_removed(context: WorkContext, tmp_path: Path) -> None:
    keeper = Keeper(context, None, CLOCK)
    keeper.new_file(".mp4").write_bytes(b"half")

    keeper.close()

    assert list((tmp_path / "results").iterdir()) == []


def test_what_nobody_fetched_goes_when_the_next_result_comes(context: WorkContext, tmp_path: Path) -> None:
    results = tmp_path / "results"
    old, fresh = aged(results / "1.result", 11), aged(results / "2.result", 9)
    lost, begun = aged(results / "3.0.part.mp4", 90_000), aged(results / "4.0.part", 60)

    Keeper(context, None, CLOCK).keep(Result(b""))

    assert [path.exists() for path in (old, fresh, lost, begun)] == [False, True, False, True]


@pytest.mark.parametrize("suffix", ["/../../x", "../x"])
def test_a_recipe_writes_nowhere_else(context: WorkContext, tmp_path: Path, suffix: str) -> None:
    keeper = Keeper(context, None, CLOCK)

    with pytest.raises(MediaError):
        keeper.new_file(suffix)
    with pytest.raises(MediaError, match="was given"):
        keeper.keep(Result(file=tmp_path / "elsewhere"))
