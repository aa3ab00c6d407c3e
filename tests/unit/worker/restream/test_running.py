"""What is sent when, what is left out, and how a job ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from jobengine.model.element import ElementKind
from jobengine.model.message import Message
from jobengine.ports.contents import DeleteElements, DropPayloads
from tests.unit.worker.restream.scene import Scene, change, stop, text
from tests.unit.worker.restream.sinks import labels
from tests.unit.worker.stage import planned

UPSTREAM = {"mode": "upstream"}
ABSOLUTE = {"mode": "absolute"}
KEEPS_EVERY = {"minDurationMs": 33.333, "maxDurationMs": 33.333}


@pytest.mark.parametrize("mode", ["absolute", "upstream"])
@pytest.mark.parametrize(
    ("step", "bounds", "first", "last"),
    [
        pytest.param(30, KEEPS_EVERY, 33.333, 666.667, id="P1"),
        pytest.param(10, {"minDurationMs": 20, "maxDurationMs": 33.333}, 20, 400, id="P2"),
        pytest.param(30, {"minDurationMs": 1, "maxDurationMs": 20}, 1, 381, id="P3"),
        pytest.param(40, {"minDurationMs": 1200, "maxDurationMs": 2000}, 1200, 24_000, id="P5"),
    ],
)
def test_g16_reference_numbers_hold_through_the_whole_worker(
    scene: Scene, mode: str, step: int, bounds: Mapping[str, float], first: float, last: float
) -> None:
    scene.camera.add_every(step, 20)
    scene.restream(pacing={"mode": mode, **bounds})
    assert scene.sink.times_ms[0] == pytest.approx(first, abs=1)
    assert scene.sink.times_ms[-1] == pytest.approx(last, abs=1)
    assert scene.sequences == list(range(20))


@pytest.mark.parametrize("mode", ["absolute", "upstream"])
def test_u34_ends_of_stream_make_no_pause(scene: Scene, mode: str) -> None:
    for n in range(3):
        scene.camera.add(33 * n, key=True)
        scene.camera.add_message(Message.END_OF_STREAM, 33 * n)
    scene.restream(pacing={"mode": mode, **KEEPS_EVERY})
    assert 66 < scene.sink.times_ms[-1] < 132
    assert len(scene.sink.ends) == 4


def test_u32_elements_and_their_times_are_untouched(scene: Scene) -> None:
    ids = scene.camera.add_every(40, 3)
    scene.restream(stop({"lastFrame": {"uuid": text(ids[2])}}))
    assert scene.sink.ids == [UUID(bytes=element_id) for element_id in ids]
    assert [element.pts for element in scene.sink.elements] == [0, 40, 80]
    assert scene.sink.stream is not None
    assert scene.sink.stream.name == "vod-1"


def test_g11_the_end_of_a_recording_is_told_and_is_no_failure(scene: Scene) -> None:
    scene.camera.add_every(40, 5)
    scene.camera.end()
    scene.restream(onIdle="fail")
    state, info = scene.end
    assert (state, info["reason"], info["result"]["elements"]) == ("Finished", "end of recording", 5)


def test_u24_a_stream_without_news_fails_the_job_with_its_reason(scene: Scene) -> None:
    scene.camera.add_every(40, 5)
    scene.restream(onIdle="fail", maxIdleMs=50)
    state, info = scene.end
    assert (state, info["code"]) == ("Error", "idle")
    assert 50 <= (scene.clock.monotonic_ns() - scene.sink.start_ns) / 1e6 < 55


def test_u25_elements_that_come_in_time_are_sent_as_they_come(scene: Scene) -> None:
    scene.camera.add_every(40, 1)
    for n in range(1, 5):
        scene.link.at(30 * n, partial(scene.camera.add, 40 * n))
    scene.restream(maxIdleMs=50)
    assert scene.sequences == [0, 1, 2, 3, 4]
    assert scene.sink.times_ms == pytest.approx([0, 30, 60, 90, 120], abs=4.1)


@pytest.mark.parametrize("wait", [0, 1000])
def test_g6_an_anchor_that_is_there_is_found_without_waiting(scene: Scene, wait: float) -> None:
    ids = scene.camera.add_every(40, 3)
    scene.restream(anchor={"key": text(ids[1])}, anchorWaitMs=wait)
    assert (scene.sequences, scene.sink.times_ms[0]) == ([1, 2], 0)


def test_u9_an_anchor_is_waited_for(scene: Scene) -> None:
    late = scene.camera.new_id(500)
    scene.camera.add_every(40, 3)
    scene.link.at(500, lambda: scene.camera.add_with_id(late, 120))
    scene.restream(anchor={"key": text(late)}, anchorWaitMs=1000)
    assert scene.sequences == [3]
    assert 500 <= scene.sink.times_ms[0] <= 502.1


def test_a_stream_is_not_idle_while_the_machine_stands_still(scene: Scene) -> None:
    scene.camera.add_every(40, 3)
    scene.link.at(200, lambda: scene.clock.advance(timedelta(seconds=5)))
    scene.link.at(5300, lambda: scene.camera.add_every(40, 1))
    scene.restream(maxIdleMs=400)
    assert scene.sequences == [0, 1, 2, 3]
    assert 5700 <= (scene.clock.monotonic_ns() - scene.sink.start_ns) / 1e6 < 5710


@pytest.mark.parametrize(
    "missing", [{"anchor": {"key": text(bytes(16))}}, {"source": {"content": "nothing"}}]
)
def test_what_is_not_there_in_time_fails_the_job(scene: Scene, missing: dict[str, Any]) -> None:
    scene.camera.add_every(40, 3)
    scene.restream(anchorWaitMs=300, **missing)
    state, info = scene.end
    assert (state, info["code"]) == ("Error", "anchor-not-found")
    assert "within 300 ms" in info["cause"]


def test_u31_a_sink_that_stops_reading_fails_the_job_in_time(scene: Scene) -> None:
    scene.camera.add_every(40, 10)
    scene.sink.room = 4
    scene.restream(maxDeliveryMs=300)
    state, info = scene.end
    assert (state, info["code"], len(scene.sequences)) == ("Error", "delivery", 4)
    assert 300 <= (scene.clock.monotonic_ns() - scene.sink.start_ns) / 1e6 < 330


def test_what_is_never_confirmed_fails_the_job_in_time(scene: Scene) -> None:
    scene.camera.add_every(40, 10)
    scene.sink.confirms = False
    scene.restream(maxDeliveryMs=300, pacing=ABSOLUTE)
    assert (scene.end[0], scene.end[1]["code"]) == ("Error", "delivery")
    assert 300 <= (scene.clock.monotonic_ns() - scene.sink.start_ns) / 1e6 < 303


def test_an_end_that_is_never_confirmed_is_told_as_such(scene: Scene) -> None:
    scene.camera.add_every(40, 3)
    scene.link.at(300, lambda: setattr(scene.sink, "confirms", False))
    scene.restream(pacing=ABSOLUTE, maxIdleMs=400, onIdle="finish", maxDeliveryMs=300)
    assert (scene.end[0], scene.end[1]["code"]) == ("Error", "delivery")
    assert scene.end[1]["cause"].startswith("the sink did not confirm an end of stream within")


def test_nobody_at_the_sink_fails_the_job_in_time(scene: Scene) -> None:
    scene.camera.add_every(40, 10)
    scene.sink.is_ready = False
    scene.restream(maxDeliveryMs=300)
    assert (scene.end[0], scene.end[1]["code"]) == ("Error", "delivery")
    assert 300 <= (scene.clock.monotonic_ns() - scene.sink.start_ns) / 1e6 < 303


def test_a_sink_that_is_not_there_takes_little_of_the_loop(scene: Scene) -> None:
    """Many jobs may wait for one; it is watched, so there is no need to look at it all the time."""
    scene.camera.add_every(40, 10)
    scene.sink.is_ready = False
    scene.restream(maxDeliveryMs=10_000)
    assert 200 < scene.sink.polls < 250


def test_an_end_that_is_not_confirmed_takes_little_of_the_loop(scene: Scene) -> None:
    scene.camera.add_every(40, 10)
    scene.link.at(600, lambda: setattr(scene.sink, "confirms", False))
    scene.sink.descriptors = (5,)
    watched: list[Sequence[int]] = []
    scene.link.at(5000, lambda: watched.append(scene.work.descriptors if scene.work else ()))
    scene.restream(pacing=ABSOLUTE, maxIdleMs=400, maxDeliveryMs=10_000)
    assert scene.end[1]["code"] == "delivery"
    assert scene.sink.polls < 400
    assert watched == [(5,)]
    assert scene.work is not None
    assert not scene.work.descriptors, "nothing is expected of a sink that was let go"


def test_what_is_under_way_at_the_end_of_what_is_stored_is_looked_after(scene: Scene) -> None:
    """A sink may have taken more than it could send, and nobody else asks it to go on."""
    scene.camera.add_every(40, 10)
    scene.sink.confirms, scene.sink.descriptors = False, (5,)
    looks: list[int] = []
    seen: list[Sequence[int]] = []

    def look() -> None:
        assert scene.work is not None
        looks.append(scene.sink.polls)
        seen.append(scene.work.descriptors)

    scene.link.at(1, look)
    scene.link.at(40, look)
    scene.restream(onIdle="fail", maxIdleMs=90, maxDeliveryMs=10_000)
    assert looks[1] - looks[0] >= 4
    assert all(5 in descriptors for descriptors in seen)


def test_a_sink_that_breaks_fails_the_job_with_its_own_words(scene: Scene) -> None:
    scene.camera.add_every(40, 10)
    scene.link.at(100, lambda: setattr(scene.sink, "fault", "the peer answers nonsense"))
    scene.restream(maxIdleMs=1000)
    assert (scene.end[0], scene.end[1]["code"]) == ("Error", "sink")
    assert "nonsense" in scene.end[1]["cause"]


def test_g15_a_stall_of_the_sink_is_made_good(scene: Scene) -> None:
    scene.camera.add_every(40, 20)
    scene.link.at(170, lambda: setattr(scene.sink, "room", 0))
    scene.link.at(370, lambda: setattr(scene.sink, "room", None))
    scene.restream(pacing=ABSOLUTE)
    assert scene.sink.times_ms[5] == pytest.approx(370, abs=25)
    assert scene.sink.times_ms[-1] == pytest.approx(760, abs=1)


def test_u26_u30_g20_labels_are_rewritten_also_those_of_the_last_end(scene: Scene) -> None:
    scene.camera.add(0, key=True, labels=["old"])
    scene.camera.add_message(Message.END_OF_STREAM, 0, ["old"])
    scene.restream(routingLabels={"append": ["label-1", "label-2"]})
    assert labels(scene.sink.elements[0]) == ["old", "label-1", "label-2"]
    assert scene.sink.ends == [["old", "label-1", "label-2"], ["label-1", "label-2"]]


def test_u27_g1_intermediary_ends_are_left_out_and_the_rest_goes_on(scene: Scene) -> None:
    for n in range(3):
        scene.camera.add(40 * n, key=True)
        scene.camera.add_message(Message.END_OF_STREAM, 40 * n)
    scene.restream(endOfStream={"skipIntermediary": True})
    assert (scene.sequences, len(scene.sink.ends)) == ([0, 2, 4], 1)


@pytest.mark.parametrize("message", [Message.USER_DATA, Message.UNKNOWN])
def test_g2_what_is_no_media_is_passed_over(scene: Scene, message: Message) -> None:
    scene.camera.add(0, key=True)
    scene.camera.add_message(message, 0)
    scene.camera.add(40)
    scene.restream()
    assert scene.sequences == [0, 2]


def test_u38_attributes_are_added_to_every_element(scene: Scene) -> None:
    scene.camera.add_every(40, 3)
    scene.restream(attributes=[{"namespace": "new", "name": "value", "values": [{"value": {"Integer": 1}}]}])
    assert all(b"Integer" in element.attributes for element in scene.sink.elements)
    assert len(scene.sink.elements) == 3


@pytest.mark.parametrize(
    ("policy", "state"), [("fail", "Error"), ("keep", "Finished"), ("replace", "Finished")]
)
def test_g14_an_attribute_that_is_there_goes_by_the_policy(scene: Scene, policy: str, state: str) -> None:
    scene.camera.add(0, key=True, attributes=[{"namespace": "n", "name": "a", "hint": "old"}])
    scene.restream(attributes=[{"namespace": "n", "name": "a"}], attributeCollision=policy)
    assert scene.end[0] == state
    if state == "Error":
        assert scene.end[1]["code"] == "attribute-collision"


@pytest.mark.parametrize(("metadata_only", "planes"), [(False, (b"x",)), (True, ())])
def test_e6_metadata_only_leaves_the_payload_out(scene: Scene, metadata_only: bool, planes: Any) -> None:
    scene.camera.add_every(40, 3)
    scene.restream(metadataOnly=metadata_only)
    assert [tuple(received) for _, element_id, received in scene.sink.received if element_id] == [planes] * 3


def test_g13_a_job_over_an_expired_head_begins_at_the_first_that_is_left(scene: Scene) -> None:
    ids = scene.camera.add_every(40, 30, key_every=5)
    scene.camera.store.commit([DeleteElements(scene.camera.number, 0, 479)])
    scene.restream(anchor={"key": text(ids[25])}, offset={"blocks": 10})
    assert scene.sequences == list(range(15, 30))
    assert scene.end[1]["result"]["beganAtOldest"] is True


def test_elements_that_went_meanwhile_are_a_gap_that_is_told(scene: Scene) -> None:
    scene.camera.add_every(40, 30)
    scene.camera.store.commit([DeleteElements(scene.camera.number, 400, 799)])
    scene.camera.store.commit([DropPayloads(scene.camera.number, 800, 800)])
    scene.restream()
    result = scene.end[1]["result"]
    assert (len(scene.sequences), result["gaps"], result["goneElements"]) == (19, 2, 11)


def test_a_gap_fails_the_job_if_it_is_to(scene: Scene) -> None:
    scene.camera.add_every(40, 30)
    scene.camera.store.commit([DeleteElements(scene.camera.number, 400, 799)])
    scene.restream(onGap="fail")
    assert (scene.end[0], scene.end[1]["code"], len(scene.sequences)) == ("Error", "gap", 10)


def test_a_content_that_is_removed_under_the_job_fails_it(scene: Scene) -> None:
    scene.camera.add_every(40, 5)
    scene.link.at(200, lambda: scene.camera.catalogue.delete("camera"))
    scene.restream(maxIdleMs=10_000)
    assert (scene.end[0], scene.end[1]["code"]) == ("Error", "source-gone")


def test_only_the_kind_of_the_first_element_is_sent(scene: Scene) -> None:
    for n in range(5):
        scene.camera.add(40 * n, key=True)
        scene.camera.add(40 * n, key=True, kind=ElementKind.FRAME)
    scene.restream()
    assert scene.sequences == [0, 2, 4, 6, 8]


def test_u29_a_timestamp_that_falls_back_fails_the_job_if_it_is_to(scene: Scene) -> None:
    for pts in (0, 40, 20):
        scene.camera.add(pts, key=True)
    scene.restream(pacing={"mode": "fast", "stopOnIncorrectTs": True})
    assert (scene.end[0], scene.end[1]["code"], len(scene.sequences)) == ("Error", "incorrect-timestamp", 2)


def test_a_paused_job_sends_nothing_and_goes_on_with_the_next_element(scene: Scene) -> None:
    scene.camera.add_every(40, 20)
    scene.arm(190, planned(1, "Immediate", "Pause"))
    scene.arm(5190, planned(2, "Immediate", "Start"))
    scene.restream(pacing=ABSOLUTE)
    assert scene.sequences == list(range(20))
    assert scene.sink.times_ms[4] == pytest.approx(160, abs=1)
    assert scene.sink.times_ms[5] == pytest.approx(5230, abs=1)
    assert scene.sink.times_ms[-1] == pytest.approx(5230 + 14 * 40, abs=1)


@pytest.mark.parametrize(
    ("anchor", "said"), [("first", "first"), ({"pts": -7, "key": None}, "pts -7")], ids=["word", "place"]
)
def test_an_anchor_that_does_not_come_is_named(scene: Scene, anchor: Any, said: str) -> None:
    scene.camera.add(0)
    scene.restream(anchor=anchor)
    assert scene.end[0] == "Error"
    assert scene.end[1]["cause"] == f"the anchor {said} was not in stream 0 of content 'camera'"


def test_a_running_job_seeks_to_another_anchor(scene: Scene) -> None:
    ids = scene.camera.add_every(40, 100)
    scene.arm(190, change(1, anchor={"key": text(ids[80])}))
    scene.restream(pacing=ABSOLUTE)
    assert scene.sequences == [0, 1, 2, 3, 4, *range(80, 100)]
    assert scene.sink.times_ms[5] == pytest.approx(190, abs=1)


def test_the_speed_changes_while_the_job_runs(scene: Scene) -> None:
    scene.camera.add_every(40, 21)
    scene.arm(401, change(1, pacing={"mode": "absolute", "speed": 4}))
    scene.restream(pacing=ABSOLUTE)
    assert scene.sink.times_ms[-1] == pytest.approx(400 + 40 + 9 * 10, abs=1)


def test_loops_send_everything_again(scene: Scene) -> None:
    scene.camera.add_every(40, 5)
    scene.camera.end()
    scene.restream(loops=3, pacing=ABSOLUTE)
    assert scene.sequences == [0, 1, 2, 3, 4] * 3
    assert scene.work is not None
    assert scene.work.elements == 15


def test_a_loop_without_end_is_ended_by_its_condition_and_one_over_nothing_by_itself(scene: Scene) -> None:
    scene.camera.add_every(40, 5)
    scene.camera.end()
    scene.restream(stop({"frameCount": 23}), loops=0)
    assert len(scene.sequences) == 23
    again = Scene(scene.ledger.parent)
    again.camera.add(0, key=True)
    again.camera.store.commit([DropPayloads(again.camera.number, 0, 0)])
    again.camera.end()
    again.restream(loops=0)
    assert (again.end[0], again.sequences) == ("Finished", [])


def test_progress_tells_where_it_is_and_what_it_waits_for(scene: Scene) -> None:
    scene.camera.add_every(40, 50)
    scene.restream(pacing=ABSOLUTE, maxIdleMs=2000)
    beats = scene.beats
    phases = {beat.counters["phase"] for beat in beats}
    assert phases >= {"streaming", "idle"}
    assert beats[-1].position.elements == 50
    assert beats[-1].position.pts == 49 * 40_000
