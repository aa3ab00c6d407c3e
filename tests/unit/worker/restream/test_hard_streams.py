"""Streams and clocks that nobody would wish for: a job sends what can be sent, at its time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind
from jobengine.ports.contents import PutElement
from tests.unit.worker.restream.scene import Scene

ABSOLUTE = {"mode": "absolute"}


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_jump_of_the_host_s_clock_moves_no_element(scene: Scene, hours: int) -> None:
    scene.camera.add_every(40, 50)
    scene.link.at(500, partial(scene.clock.jump, timedelta(hours=hours)))
    scene.restream(pacing=ABSOLUTE)
    assert scene.sink.times_ms == pytest.approx([40 * n for n in range(50)], abs=1)


@pytest.mark.parametrize("attributes", [b"\xc1", b"\x81\xa7message\xc0", b"no map at all"])
def test_records_that_can_not_be_read_are_passed_over(scene: Scene, attributes: bytes) -> None:
    scene.camera.add(0, key=True)
    element = Element(
        ElementKind.PACKET, 20, plane_sizes=(1,), attributes=attributes, element_id=scene.camera.new_id(20)
    )
    scene.camera.store.commit([PutElement(scene.camera.number, element, [b"x"])])
    scene.camera.add(40)
    scene.restream(pacing=ABSOLUTE)
    assert scene.sequences == [0, 2]
    assert scene.end[1]["result"]["skippedElements"] == 1


def test_pictures_out_of_order_without_dts_are_sent_in_the_order_of_arrival(scene: Scene) -> None:
    for pts in (0, 120, 40, 80, 240, 160, 200):
        scene.camera.add(pts, key=pts == 0)
    scene.restream(pacing={**ABSOLUTE, "reorder": 2})
    assert scene.sequences == list(range(7))
    assert scene.sink.times_ms == pytest.approx([0, 120, 120, 120, 240, 240, 240], abs=1)


def test_dts_paces_a_stream_whose_pictures_are_out_of_order(scene: Scene) -> None:
    for number, pts in enumerate((40, 160, 80, 120)):
        scene.camera.add(pts, key=number == 0, dts=40 * number)
    scene.restream(pacing=ABSOLUTE)
    assert scene.sink.times_ms == pytest.approx([0, 40, 80, 120], abs=1)


def test_timestamps_at_the_ends_of_their_range_do_no_harm(scene: Scene) -> None:
    for pts in (PTS_MIN, 0, PTS_MAX, PTS_MIN, 0):
        scene.camera.add(pts, key=True, made_ms=0)
    scene.restream(pacing={**ABSOLUTE, "maxDurationMs": 50})
    assert len(scene.sequences) == 5
    assert scene.sink.times_ms[-1] <= 4 * 50 + 1


def test_a_content_that_is_deleted_and_made_anew_is_another_one(scene: Scene) -> None:
    scene.camera.add_every(40, 5)

    def renew() -> None:
        scene.camera.catalogue.delete("camera")
        scene.camera.catalogue.create("camera", {"type": "Format"}, [{"type": "Stream", "index": 0}])

    scene.link.at(200, renew)
    scene.restream(pacing=ABSOLUTE, maxIdleMs=10_000)
    assert (scene.end[0], scene.end[1]["code"]) == ("Error", "source-gone")


@pytest.mark.parametrize(
    "members",
    [
        {"attributes": 5},
        {"attributes": [5]},
        {"attributes": [{"namespace": "n", "name": 1, "values": []}]},
        {"labels": 5},
        {"labels": [1]},
        {"shift": "far"},
    ],
)
@pytest.mark.parametrize(
    "changes",
    [
        {"attributes": [{"namespace": "n", "name": "m", "values": []}]},
        {"routingLabels": {"append": ["late"]}},
        {"timestamps": "rebase"},
        {"pacing": {"mode": "fast"}},
    ],
)
def test_what_a_peer_wrote_that_can_not_be_is_left_out_and_the_rest_goes_on(
    scene: Scene, members: dict[str, Any], changes: dict[str, Any]
) -> None:
    scene.camera.add(0, key=True)
    scene.camera.add(40, key=True, **members)
    scene.camera.add(80, key=True)
    scene.restream(**changes)
    assert (scene.end[0], scene.sequences) == ("Finished", [0, 2])
    assert scene.end[1]["result"]["skippedElements"] == 1
