"""Examples of Savant Replay's own end-to-end suite, run in virtual time through the whole worker."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from jobengine.model.message import Message
from tests.unit.worker.restream.scene import Scene, stop, text
from tests.unit.worker.restream.streams import MILLISECONDS

BASE: dict[str, Any] = {
    "pacing": {
        "mode": "upstream",
        "minDurationMs": 10,
        "maxDurationMs": 103.333333,
        "discrepancyFixMs": 33.333333,
    },
    "labels": {"namespace": "key", "purpose": "test"},
}


def gaps_ms(scene: Scene) -> list[float]:
    return [later - earlier for earlier, later in pairwise(scene.sink.times_ms)]


def pacing(**members: Any) -> Mapping[str, Any]:
    return {**BASE, "pacing": {**BASE["pacing"], **members}}


@pytest.mark.parametrize("mode", ["absolute", "upstream"])
@pytest.mark.parametrize(
    ("bounds", "gap_ms", "tolerance_ms"),
    [
        pytest.param({"minDurationMs": 1200, "maxDurationMs": 2000}, 1200, 0.5, id="E4"),
        pytest.param({"minDurationMs": 0.001, "maxDurationMs": 40}, 40, 1, id="E5"),
    ],
)
def test_every_gap_is_kept(
    scene: Scene, mode: str, bounds: Mapping[str, float], gap_ms: float, tolerance_ms: float
) -> None:
    scene.camera.add_every(50, 40)
    scene.restream(stop({"frameCount": 20}), **pacing(mode=mode, **bounds))
    assert len(scene.sequences) == 20
    assert gaps_ms(scene) == pytest.approx([gap_ms] * 19, abs=tolerance_ms)


@pytest.mark.parametrize("mode", ["absolute", "upstream"])
@pytest.mark.parametrize(
    ("times", "members", "expected"),
    [
        pytest.param([0, 40, 80, 20, 60], {}, [10, 50, 90, 123.333, 163.333], id="P6"),
        pytest.param([0, 40, 80, 20, 60], {"discrepancyFixMs": 5}, [10, 50, 90, 100, 140], id="P7"),
        pytest.param([0, 40, 10_040, 10_080], {}, [10, 50, 153.333, 193.333], id="P8"),
        pytest.param([40 * n for n in range(100)], {}, [10 + 40 * n for n in range(100)], id="P4"),
    ],
)
def test_g16_uneven_streams_keep_the_reference_numbers(
    scene: Scene, mode: str, times: list[int], members: Mapping[str, float], expected: list[float]
) -> None:
    for pts in times:
        scene.camera.add(pts, key=True)
    scene.restream(**pacing(mode=mode, **members))
    assert scene.sink.times_ms == pytest.approx(expected, abs=1)


def test_u28_only_a_fall_is_a_discrepancy(scene: Scene) -> None:
    scene.camera.add(0, key=True)
    scene.camera.add_message(Message.END_OF_STREAM, 0)
    for pts in (40, 120, 80):
        scene.camera.add(pts)
    scene.restream(**BASE, maxIdleMs=700)
    assert scene.beats[-1].counters["discrepancies"] == 1
    assert scene.sequences == [0, 2, 3, 4]


def test_e9_the_first_element_is_the_anchor(scene: Scene) -> None:
    ids = scene.camera.add_every(40, 100, key_every=10)
    scene.restream(anchor={"key": text(ids[50])}, offset={"blocks": 0}, **BASE)
    assert scene.sink.ids[0].bytes == ids[50]


def test_e10_five_blocks_are_six_key_elements_up_to_the_anchor(scene: Scene) -> None:
    ids = scene.camera.add_every(40, 100, key_every=10)
    scene.restream(
        stop({"lastFrame": {"uuid": text(ids[70])}}),
        anchor={"key": text(ids[70])},
        offset={"blocks": 5},
        **BASE,
    )
    assert scene.sequences == list(range(20, 71))
    assert sum(element.is_key for element in scene.sink.elements) == 6


def test_e11_the_hint_of_an_attribute_arrives(scene: Scene) -> None:
    scene.camera.add_every(40, 3)
    scene.restream(attributes=[{"namespace": "n", "name": "a", "hint": "look here"}], **BASE)
    assert all(b"look here" in element.attributes for element in scene.sink.elements)


def test_e12_the_last_but_one_is_before_the_bound(scene: Scene) -> None:
    ids = scene.camera.add_every(40, 100)
    bound = ids[41]
    scene.restream(stop({"lastFrame": {"uuid": text(bound)}}), **BASE)
    assert scene.end[0] == "Finished"
    assert scene.sink.ids[-2].bytes < bound <= scene.sink.ids[-1].bytes


@pytest.mark.parametrize(("stored", "sent"), [(20, 10), (7, 7)])
def test_e13_so_many_key_elements_or_as_many_as_there_are(scene: Scene, stored: int, sent: int) -> None:
    scene.camera.add_every(40, stored * 5, key_every=5)
    scene.restream(stop({"keyFrameCount": 10}), **BASE)
    assert scene.end[0] == "Finished"
    assert sum(element.is_key for element in scene.sink.elements) == sent


def test_e14_real_time_ends_the_job_though_its_pauses_are_long(scene: Scene) -> None:
    scene.camera.add_every(40, 100)
    began_ms = scene.clock.monotonic_ns() / 1e6
    scene.restream(
        stop({"realTimeDeltaMs": 30_000}), **pacing(minDurationMs=2700, maxDurationMs=2700), maxIdleMs=10_000
    )
    assert scene.end[0] == "Finished"
    assert 30_000 < scene.clock.monotonic_ns() / 1e6 - began_ms < 36_000


@pytest.mark.parametrize("seconds", [0, 0.4, 1.2])
def test_the_offset_in_seconds_begins_at_or_before_it(scene: Scene, seconds: float) -> None:
    ids = scene.camera.add_every(40, 100, key_every=10)
    scene.restream(anchor={"key": text(ids[50])}, offset={"seconds": seconds}, **BASE)
    first = scene.sink.elements[0].pts
    assert first is not None
    assert first <= 50 * 40 - seconds * 1000 < first + 400


@pytest.mark.parametrize(("is_paced", "expected"), [(True, 760), (False, 0)])
def test_an_unpaced_job_waits_for_nothing(scene: Scene, is_paced: bool, expected: float) -> None:
    scene.camera.add_every(40, 20)
    scene.restream(pacing={"mode": "absolute" if is_paced else "fast"})
    assert scene.sink.times_ms[-1] == pytest.approx(expected, abs=1)


def test_a_time_base_counts_its_own_ticks(scene: Scene) -> None:
    fine = Scene(scene.ledger.parent, time_base=MILLISECONDS / 90)
    for number in range(20):
        fine.camera.add(3600 * number, key=True, made_ms=40 * number)
    fine.restream(pacing={"mode": "absolute"})
    assert fine.sink.times_ms[-1] == pytest.approx(760, abs=1)
