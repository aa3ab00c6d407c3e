"""Stop conditions are pending transitions: each of the seven, joined, replaced, and while nothing comes."""

from __future__ import annotations

from typing import Any

import pytest

from jobengine.messaging.worker_messages import Withdraw
from jobengine.model.message import Message
from tests.unit.worker.restream.scene import Scene, stop, text
from tests.unit.worker.stage import ENGINE, planned


def test_u1_last_frame_ends_with_the_first_element_at_or_behind_it(scene: Scene) -> None:
    scene.camera.add_every(40, 3)
    bound = scene.camera.new_id(100)
    scene.camera.add_every(40, 3, first=120)
    scene.restream(stop({"lastFrame": {"uuid": text(bound)}}))
    assert (scene.sequences, scene.end[0]) == ([0, 1, 2, 3], "Finished")


@pytest.mark.parametrize("count", [1, 2, 20])
def test_u2_frame_count_sends_exactly_so_many(scene: Scene, count: int) -> None:
    scene.camera.add_every(40, 50)
    scene.restream(stop({"frameCount": count}))
    assert scene.sequences == list(range(count))


def test_e2_e3_the_end_of_stream_follows_the_last_element_if_it_is_wanted(scene: Scene) -> None:
    scene.camera.add_every(40, 50)
    scene.restream(stop({"frameCount": 20}))
    assert (len(scene.sink.received), scene.sink.received[-1][1]) == (21, None)
    again = Scene(scene.ledger.parent)
    again.camera.add_every(40, 50)
    again.restream(stop({"frameCount": 20}), endOfStream={"onFinish": False})
    assert len(again.sink.received) == 20


def test_u3_key_frame_count_ends_with_the_key_element_itself(scene: Scene) -> None:
    scene.camera.add_every(40, 50, key_every=2)
    scene.restream(stop({"keyFrameCount": 2}))
    assert scene.sequences == [0, 1, 2]


def test_u4_ts_delta_is_strict_and_counts_from_the_first_element(scene: Scene) -> None:
    for pts in (1000, 1700, 2000, 2100, 2200):
        scene.camera.add(pts, key=True)
    scene.restream(stop({"tsDeltaSec": {"maxDeltaSec": 1.0}}))
    assert scene.sequences == [0, 1, 2, 3]


def test_u5_real_time_ends_at_its_time_also_while_nothing_comes(scene: Scene) -> None:
    scene.camera.add_every(40, 2)
    scene.restream(stop({"realTimeDeltaMs": 500}), maxIdleMs=60_000)
    assert scene.end[0] == "Finished"
    assert 500 < (scene.clock.monotonic_ns() - scene.sink.start_ns) / 1e6 < 505


def test_g10_now_stops_a_job_that_waits_for_data(scene: Scene) -> None:
    scene.camera.add_every(40, 2)
    scene.arm(700, stop("now"))
    scene.restream(maxIdleMs=60_000)
    assert (scene.end[0], scene.passed[-1][0]) == ("Finished", "t1")
    assert 700 <= (scene.clock.monotonic_ns() - scene.sink.start_ns) / 1e6 < 705


def test_g10_now_stops_a_job_that_waits_for_its_anchor(scene: Scene) -> None:
    scene.arm(700, stop("now"))
    scene.restream(anchorWaitMs=60_000)
    assert (scene.end[0], scene.sink.received) == ("Finished", [])


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ({"any": [{"frameCount": 30}, {"keyFrameCount": 2}]}, 6),
        ({"all": [{"frameCount": 30}, {"keyFrameCount": 2}]}, 30),
        ({"not": {"not": {"frameCount": 7}}}, 7),
        ({"any": ["never", {"all": [{"frameCount": 3}, {"tsDeltaSec": {"maxDeltaSec": 0.3}}]}]}, 9),
    ],
)
def test_composites(scene: Scene, condition: Any, count: int) -> None:
    scene.camera.add_every(40, 50, key_every=5)
    scene.restream(stop(condition))
    assert len(scene.sequences) == count


@pytest.mark.parametrize(
    "condition",
    [
        {"frameCount": 40},
        {"keyFrameCount": 40},
        {"tsDeltaSec": {"maxDeltaSec": 1.55}},
        {"realTimeDeltaMs": 1580},
        "now",
        "never",
    ],
)
def test_g9_a_condition_is_replaced_by_any_other_while_the_job_runs(scene: Scene, condition: Any) -> None:
    scene.camera.add_every(40, 100)
    scene.link.at(1000, Withdraw(ENGINE, "r", ("t1",)))
    scene.arm(1000, stop(condition, position=2))
    scene.restream(stop({"frameCount": 90}), pacing={})
    expected = {"now": 26, "never": 100}.get(condition if isinstance(condition, str) else "", 40)
    assert abs(len(scene.sequences) - expected) <= 1
    assert scene.end[0] == "Finished"


def test_g9_last_frame_replaces_another_condition_while_the_job_runs(scene: Scene) -> None:
    ids = scene.camera.add_every(40, 100)
    scene.link.at(1000, Withdraw(ENGINE, "r", ("t1",)))
    scene.arm(1000, stop({"lastFrame": {"uuid": text(ids[49])}}, position=2))
    scene.restream(stop({"frameCount": 90}), pacing={})
    assert len(scene.sequences) == 50


def test_a_worker_tells_what_it_has_counted_when_it_lets_go_of_a_condition(scene: Scene) -> None:
    scene.camera.add_every(40, 100, key_every=10)
    scene.link.at(1010, Withdraw(ENGINE, "r", ("t1",)))
    scene.restream(stop({"frameCount": 90}), pacing={})
    (answer,) = scene.withdrawn
    assert answer.counts is not None
    reading = answer.counts.reading
    assert (reading.elements, reading.key_elements, reading.position) == (26, 3, 25 * 40_000)
    assert reading.elapsed_ms == pytest.approx(1010, abs=1)


def test_ends_of_stream_do_not_count(scene: Scene) -> None:
    for n in range(10):
        scene.camera.add(40 * n, key=True)
        scene.camera.add_message(Message.END_OF_STREAM, 40 * n)
    scene.restream(stop({"frameCount": 4}))
    assert len(scene.sequences) == 4


def test_a_duration_counts_media_time(scene: Scene) -> None:
    scene.camera.add_every(40, 100)
    scene.restream(planned(1, "Duration", "Finish", duration=400))
    assert len(scene.sequences) == 11


def test_cancel_acts_while_nothing_comes_and_says_no_goodbye(scene: Scene) -> None:
    scene.camera.add_every(40, 2)
    scene.arm(700, planned(1, "Immediate", "Cancel"))
    scene.restream(maxIdleMs=60_000)
    assert (scene.end[0], scene.sink.ends) == ("Cancelled", [])


def test_g7_a_cancelled_job_says_goodbye_if_it_is_to(scene: Scene) -> None:
    scene.camera.add_every(40, 2)
    scene.arm(700, planned(1, "Immediate", "Cancel"))
    scene.restream(maxIdleMs=60_000, endOfStream={"onCancel": True})
    assert (scene.end[0], scene.sink.ends) == ("Cancelled", [[]])
