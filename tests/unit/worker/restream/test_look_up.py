"""A job begins where its anchor and offset say, and never later."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest

from jobengine.clock import to_text
from jobengine.model.anchor import AnchorPlace, Offset
from jobengine.model.element import ElementKind
from jobengine.model.message import Message
from jobengine.ports.contents import DeleteElements
from jobengine.testing import ManualClock
from jobengine.worker.restream.look_up import Moments, Start, StoredStream, find_start
from tests.unit.worker.restream.streams import StoredCamera


@pytest.fixture
def camera() -> StoredCamera:
    return StoredCamera(ManualClock())


def found(camera: StoredCamera, anchor: Any, offset: Offset | None = None, **members: Any) -> Start | None:
    """What a look-up comes to."""
    stream = StoredStream(camera.store, camera.number, Fraction(1, 1000), **members)
    moments = Moments(camera.clock.now(), camera.clock.now() + timedelta(hours=1))
    return run(find_start(stream, anchor, offset, moments))


def run(search: Generator[None, None, Start | None]) -> Start | None:
    while True:
        try:
            next(search)
        except StopIteration as end:
            result: Start | None = end.value
            return result


def sequence(start: Start | None) -> int:
    assert start is not None
    return start.stored.sequence


def key(element_id: bytes) -> AnchorPlace:
    return AnchorPlace(key=UUID(bytes=element_id))


@pytest.mark.parametrize(("blocks", "expected"), [(0, 22), (1, 11), (2, 0), (3, 0)])
def test_u15_blocks_count_key_elements_of_this_stream(
    camera: StoredCamera, blocks: int, expected: int
) -> None:
    camera.add_every(10, 22, key_every=11)
    anchor = camera.add_every(10, 11, key_every=11, first=220)[0]
    assert sequence(found(camera, key(anchor), Offset(blocks=blocks))) == expected


@pytest.mark.parametrize("by", ["mediaTime", "creationTime"])
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, 2), (0.005, 1), (0.010, 1), (0.015, 0), (0.020, 0), (0.025, 0), (1e8, 0)],
)
def test_u16_g3_seconds_begin_at_or_before_the_moment_asked_for(
    camera: StoredCamera, seconds: float, expected: int, by: str
) -> None:
    anchor = camera.add_every(10, 3)[-1]
    assert (
        sequence(found(camera, key(anchor), Offset.model_validate({"seconds": seconds, "by": by})))
        == expected
    )


@pytest.mark.parametrize(("offset", "expected"), [({"blocks": 1}, 4), ({"seconds": 5}, 0)])
def test_u18_a_stream_with_ends_in_it(offset: dict[str, float], expected: int) -> None:
    camera = StoredCamera(ManualClock(), Fraction(1))
    wanted = AnchorPlace(pts=0)
    for place in ("K0", "E0", "f1", "f2", "K3", "E3", "f4", "K5", "f6"):
        pts = int(place[1]) * 1000
        if place[0] == "E":
            camera.add_message(Message.END_OF_STREAM, pts)
        else:
            element_id = camera.add(pts, key=place[0] == "K")
            wanted = key(element_id) if place == "K5" else wanted
    assert sequence(found(camera, wanted, Offset.model_validate(offset))) == expected


def test_an_offset_beyond_what_is_left_begins_at_the_oldest_and_says_so(camera: StoredCamera) -> None:
    anchor = camera.add_every(10, 50, key_every=5)[45]
    camera.store.commit([DeleteElements(camera.number, 0, 149)])
    start = found(camera, key(anchor), Offset(blocks=30))
    assert start is not None
    assert (start.stored.sequence, start.is_oldest) == (15, True)


def test_seconds_by_creation_time_are_not_seconds_of_media(camera: StoredCamera) -> None:
    """A file taken in ten times as fast as it plays."""
    ids = [camera.add(n * 1000, key=True, made_ms=n * 100) for n in range(60)]
    media = Offset(seconds=5, by="mediaTime")
    creation = Offset(seconds=5, by="creationTime")
    assert sequence(found(camera, key(ids[-1]), media)) == 54
    assert sequence(found(camera, key(ids[-1]), creation)) == 9


def test_media_time_goes_on_over_a_clock_that_began_anew(camera: StoredCamera) -> None:
    for round_ in range(3):
        for n in range(10):
            camera.add(n * 1000, key=True, made_ms=(round_ * 10 + n) * 1000)
    assert sequence(found(camera, "latest", Offset(seconds=15))) == 13


@pytest.mark.parametrize(
    ("anchor", "expected"), [("first", 0), ("latest", 20), ({"pts": 149}, 10), ({"pts": 150}, 10)]
)
def test_anchors_by_word_and_by_pts(camera: StoredCamera, anchor: Any, expected: int) -> None:
    camera.add_every(10, 27, key_every=10)
    place = AnchorPlace.model_validate(anchor) if isinstance(anchor, dict) else anchor
    assert sequence(found(camera, place)) == expected


def test_any_element_means_its_key_element_and_only_a_key_element_is_a_key(camera: StoredCamera) -> None:
    ids = camera.add_every(10, 27, key_every=10)
    assert sequence(found(camera, AnchorPlace(element=UUID(bytes=ids[17])))) == 10
    assert found(camera, key(ids[17])) is None
    assert found(camera, AnchorPlace(element=UUID(bytes=camera.new_id(999)))) is None


def test_a_time_means_the_last_key_element_made_by_then_and_never_the_future(camera: StoredCamera) -> None:
    camera.add_every(10, 27, key_every=10)
    moment = camera.clock.now() + timedelta(milliseconds=155)
    assert sequence(found(camera, AnchorPlace.model_validate({"time": to_text(moment)}))) == 10
    assert found(camera, AnchorPlace.model_validate({"time": to_text(moment + timedelta(days=1))})) is None


def test_start_means_the_moment_at_which_the_job_first_ran(camera: StoredCamera) -> None:
    camera.add_every(10, 27, key_every=10)
    start = find_start(
        StoredStream(camera.store, camera.number, Fraction(1, 1000)),
        "start",
        None,
        Moments(camera.clock.now() + timedelta(milliseconds=205), camera.clock.now() + timedelta(hours=1)),
    )
    assert sequence(run(start)) == 20


def test_frames_beside_packets_are_passed_over_if_packets_are_meant(camera: StoredCamera) -> None:
    camera.add_every(10, 3)
    camera.add(20, key=True, kind=ElementKind.FRAME)
    assert sequence(found(camera, "latest", kind=ElementKind.PACKET)) == 2
    assert sequence(found(camera, "latest", kind=ElementKind.FRAME)) == 3


def test_an_empty_stream_has_no_anchor(camera: StoredCamera) -> None:
    for anchor in ("first", "latest", AnchorPlace(pts=0)):
        assert found(camera, anchor) is None
