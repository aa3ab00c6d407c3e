"""What becomes of timestamps: kept, counted from 0, without falls and leaps, or as if it were live."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from jobengine.clock import to_us
from tests.unit.worker.restream.scene import FAST, Scene, stop
from tests.unit.worker.restream.sinks import Died, labels
from tests.unit.worker.restream.test_resuming import resume
from tests.unit.worker.stage import planned

PACINGS = pytest.mark.parametrize("pacing", [FAST, {}], ids=["fast", "paced"])
FIX = {"discrepancyFixMs": 40}


def received(scene: Scene) -> list[int | None]:
    return [element.pts for element in scene.sink.elements]


@PACINGS
def test_rebased_times_begin_at_0_and_keep_every_step(scene: Scene, pacing: dict[str, Any]) -> None:
    for pts in (1000, 1040, 5000, 2000, 2040):
        scene.camera.add(pts, key=True)
    scene.restream(timestamps="rebase", pacing=pacing)
    assert received(scene) == [0, 40, 4000, 1000, 1040]


@PACINGS
def test_each_round_of_rebased_times_begins_at_0(scene: Scene, pacing: dict[str, Any]) -> None:
    scene.camera.add_every(40, 3, first=700)
    scene.camera.end()
    scene.restream(timestamps="rebase", pacing=pacing, loops=2)
    assert received(scene) == [0, 40, 80, 0, 40, 80]


@PACINGS
def test_contiguous_times_never_fall_and_never_leap(scene: Scene, pacing: dict[str, Any]) -> None:
    for pts in (1000, 1040, 9000, 9040, 200, 240):
        scene.camera.add(pts, key=True)
    scene.restream(timestamps="contiguous", pacing={**pacing, **FIX, "maxDurationMs": 100})
    assert received(scene) == [0, 40, 140, 180, 220, 260]


@PACINGS
def test_contiguous_times_go_on_from_round_to_round(scene: Scene, pacing: dict[str, Any]) -> None:
    scene.camera.add_every(40, 3, first=700)
    scene.camera.end()
    scene.restream(timestamps="contiguous", pacing={**pacing, **FIX}, loops=3)
    assert received(scene) == [n * 40 for n in range(9)]


def test_a_seek_leaves_contiguous_times_contiguous(scene: Scene) -> None:
    scene.camera.add_every(40, 50, first=1000)
    seek = planned(
        1,
        "Stream",
        "None",
        condition={"frameCount": 5},
        description={"restreamSpec": {"anchor": {"pts": 2000}}},
    )
    scene.restream(seek, stop({"frameCount": 10}, 2), timestamps="contiguous", pacing=FIX)
    assert scene.sequences == [*range(5), *range(25, 30)]
    assert received(scene) == [n * 40 for n in range(10)]


def test_a_leap_is_as_long_as_the_pause_at_another_speed(scene: Scene) -> None:
    for pts in (0, 150, 1000):
        scene.camera.add(pts, key=True)
    scene.restream(timestamps="contiguous", pacing={"speed": 2, "maxDurationMs": 100})
    assert received(scene) == [0, 150, 350]


def test_what_is_coded_out_of_order_stays_in_its_order(scene: Scene) -> None:
    for pts in (100, 220, 140, 180, 340, 260, 300):
        scene.camera.add(pts, key=pts == 100)
    scene.restream(timestamps="contiguous", pacing={"reorder": 2})
    assert received(scene) == [0, 120, 40, 80, 240, 160, 200]


def test_dts_and_pts_are_moved_alike_and_the_first_dts_is_0(scene: Scene) -> None:
    scene.camera.add(180, dts=100, key=True)
    scene.camera.add(140, dts=140)
    scene.restream(timestamps="rebase")
    assert [(element.dts, element.pts) for element in scene.sink.elements] == [(0, 80), (40, 40)]


def test_live_times_are_those_of_the_wall_when_elements_are_due(scene: Scene) -> None:
    scene.camera.add_every(40, 3, first=700)
    scene.camera.end()
    began_ms = to_us(scene.clock.now()) // 1000
    scene.restream(timestamps="live", pacing={"minDurationMs": 40}, loops=2)
    assert received(scene) == [began_ms + ms for ms in scene.sink.times_ms]
    assert scene.sink.times_ms == [40.0 * n for n in range(1, 7)]


def test_live_times_go_on_at_the_wall_time_behind_a_pause(scene: Scene) -> None:
    scene.camera.add_every(40, 4)
    began_ms = to_us(scene.clock.now()) // 1000
    scene.arm(60, planned(1, "Immediate", "Pause"))
    scene.arm(500, planned(2, "Immediate", "Start"))
    scene.restream(timestamps="live", pacing={})
    assert received(scene) == [began_ms + ms for ms in scene.sink.times_ms]
    assert scene.sink.times_ms[2] >= 500


def test_another_choice_holds_from_the_next_element_on(scene: Scene) -> None:
    scene.camera.add_every(40, 6, first=1000)
    turn = planned(
        1,
        "Stream",
        "None",
        condition={"frameCount": 3},
        description={"restreamSpec": {"timestamps": "rebase"}},
    )
    scene.restream(turn, pacing={})
    assert received(scene) == [1000, 1040, 1080, 0, 40, 80]


@PACINGS
@pytest.mark.parametrize("timestamps", ["rebase", "contiguous"])
def test_a_successor_goes_on_with_the_same_shift(
    scene: Scene, timestamps: str, pacing: dict[str, Any]
) -> None:
    scene.camera.add_every(40, 20, first=1000)
    scene.camera.add_every(40, 20, first=100)
    scene.sink.dies_after = 20
    members: dict[str, Any] = {"timestamps": timestamps, "pacing": {**pacing, **FIX}}
    with pytest.raises(Died):
        scene.restream(**members)
    scene.sink.dies_after = None
    scene.restream(resume=resume(scene), state="Running", **members)
    late = 800 if timestamps == "contiguous" else -900
    assert received(scene) == [*(n * 40 for n in range(20)), *(late + n * 40 for n in range(20))]


def test_the_shift_is_known_without_the_ledger(scene: Scene) -> None:
    scene.camera.add_every(40, 20, first=1000)
    scene.sink.dies_after = 10
    with pytest.raises(Died):
        scene.restream(timestamps="rebase")
    scene.sink.dies_after = None
    scene.ledger.unlink()
    scene.restream(resume=resume(scene, position=9 * 40_000), state="Running", timestamps="rebase")
    assert received(scene) == [n * 40 for n in range(20)]


def test_labels_are_rewritten_at_the_same_time(scene: Scene) -> None:
    scene.camera.add(1000, key=True, labels=["a"])
    scene.restream(timestamps="rebase", routingLabels={"append": ["b"]})
    [element] = scene.sink.elements
    assert (element.pts, labels(element)) == (0, ["a", "b"])


def test_a_time_out_of_range_fails_the_job_with_its_reason(scene: Scene) -> None:
    scene.camera.add(-(2**63), key=True, made_ms=0)
    scene.camera.add(0, made_ms=1)
    scene.restream(timestamps="rebase")
    state, info = scene.end
    assert (state, info["code"]) == ("Error", "timestamp-range")


def test_progress_tells_how_far_times_were_moved(scene: Scene) -> None:
    scene.camera.add_every(40, 3, first=1000)
    scene.restream(timestamps="rebase")
    assert scene.work is not None
    assert scene.work.progress()["counters"]["timestampShift"] == -1000


def test_ticks_are_those_of_the_stream(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Fraction(1, 90_000))
    for pts in (9000, 12_600, 90_000):
        scene.camera.add(pts, key=True, made_ms=pts / 90)
    scene.restream(timestamps="contiguous", pacing={"mode": "fast", "maxDurationMs": 40})
    assert received(scene) == [0, 3600, 7200]
