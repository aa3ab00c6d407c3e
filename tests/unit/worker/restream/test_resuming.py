"""A job whose worker died goes on behind the last element that is safe: none is lost, few come twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobengine.clock import to_text
from jobengine.messaging.worker_messages import Resume
from tests.unit.worker.restream.scene import Scene, stop
from tests.unit.worker.restream.sinks import Died
from tests.unit.worker.stage import planned


@pytest.fixture
def broken(scene: Scene) -> Scene:
    """A job that died after 37 elements of 100."""
    scene.camera.add_every(40, 100, key_every=10)
    scene.sink.dies_after = 37
    return scene


def resume(scene: Scene, position: int = 0) -> Resume:
    return Resume(position, to_text(scene.clock.now()), ())


def test_g17_a_successor_goes_on_with_the_next_element(broken: Scene) -> None:
    with pytest.raises(Died):
        broken.restream()
    broken.sink.dies_after = None
    broken.restream(resume=resume(broken), state="Running")
    assert broken.sequences == list(range(100))
    assert broken.work is not None
    assert (broken.work.elements, broken.work.key_elements, broken.work.position) == (100, 10, 99 * 40_000)


@pytest.mark.parametrize("unsafe", [1, 5, 37])
def test_what_a_sink_could_not_vouch_for_comes_twice_and_nothing_is_lost(broken: Scene, unsafe: int) -> None:
    broken.sink.unsafe = unsafe
    with pytest.raises(Died):
        broken.restream()
    broken.sink.dies_after = None
    broken.restream(resume=resume(broken), state="Running")
    assert broken.sequences == [*range(37), *range(37 - unsafe, 100)]


def test_conditions_count_over_both_lives(broken: Scene) -> None:
    with pytest.raises(Died):
        broken.restream()
    broken.sink.dies_after = None
    broken.restream(stop({"frameCount": 60}), resume=resume(broken), state="Running")
    assert broken.sequences == list(range(60))


def test_real_time_counts_over_both_lives(broken: Scene) -> None:
    broken.first_running, began_ms = broken.clock.now(), broken.clock.monotonic_ns() / 1e6
    with pytest.raises(Died):
        broken.restream(pacing={})
    broken.sink.dies_after = None
    broken.camera.later(1000)
    condition = stop({"realTimeDeltaMs": 3000})
    broken.restream(condition, resume=resume(broken), state="Running", pacing={})
    assert broken.clock.monotonic_ns() / 1e6 - began_ms == pytest.approx(3000, abs=1)


def test_a_successor_tells_that_it_went_on(broken: Scene) -> None:
    with pytest.raises(Died):
        broken.restream()
    broken.sink.dies_after = None
    broken.restream(resume=resume(broken), state="Running")
    [resumed] = [report for report in broken.changed if report.info["reason"] == "resumed"]
    assert resumed.position.elements == 37


def test_a_loop_is_gone_on_with(scene: Scene) -> None:
    scene.camera.add_every(40, 10)
    scene.camera.end()
    scene.sink.dies_after = 25
    with pytest.raises(Died):
        scene.restream(loops=3)
    scene.sink.dies_after = None
    scene.restream(loops=3, resume=resume(scene), state="Running")
    assert scene.sequences == [*range(10)] * 3


@pytest.mark.parametrize("sent", [0, 3])
def test_a_place_that_was_sought_before_the_worker_died_is_sought_by_its_successor(
    scene: Scene, sent: int
) -> None:
    scene.camera.add_every(40, 60)
    scene.sink.dies_after = 5 + sent
    sought = {"anchor": {"pts": 1600}}
    seek = planned(1, "Stream", "None", condition={"frameCount": 5}, description={"restreamSpec": sought})
    with pytest.raises(Died):
        scene.restream(seek, pacing={})
    scene.sink.dies_after = None
    scene.restream(stop({"frameCount": 10}), resume=resume(scene), state="Running", pacing={}, **sought)
    assert scene.sequences == [*range(5), *range(40, 45)]


def test_without_its_ledger_a_job_goes_on_behind_the_last_position_that_was_reported(broken: Scene) -> None:
    with pytest.raises(Died):
        broken.restream()
    broken.sink.dies_after = None
    broken.ledger.unlink()
    broken.restream(resume=resume(broken, position=30 * 40_000), state="Running")
    assert broken.sequences == [*range(37), *range(31, 100)]


def test_a_job_that_is_over_leaves_no_ledger(scene: Scene, tmp_path: Path) -> None:
    scene.camera.add_every(40, 10)
    scene.restream()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_died_before_the_first_element_begins_at_the_anchor(scene: Scene) -> None:
    scene.camera.add_every(40, 10)
    scene.sink.dies_after = 0
    with pytest.raises(Died):
        scene.restream()
    scene.sink.dies_after = None
    scene.restream(resume=resume(scene), state="Running")
    assert scene.sequences == list(range(10))
