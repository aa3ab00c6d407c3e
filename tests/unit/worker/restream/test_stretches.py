"""Elements in one go, when they are due, and one by one: whatever is stored, the same arrives and is told."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import ref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobengine.clock import to_text
from jobengine.messaging.worker_messages import Resume
from jobengine.model.element import Element, ElementKind
from jobengine.model.message import Message
from jobengine.ports.contents import DeleteElements, DropPayloads
from jobengine.worker.restream.counts import StreamClock
from jobengine.worker.restream.ledger import Delivered
from jobengine.worker.restream.reader import Run
from jobengine.worker.restream.stretch import Stretch
from tests.unit.worker.restream.scene import Scene, stop
from tests.unit.worker.restream.sinks import Died

IN_ONE_GO = {"mode": "fast"}
WHEN_DUE = {"mode": "absolute", "maxDurationMs": 50, "discrepancyFixMs": 20}
ONE_BY_ONE = {"mode": "upstream", "maxDurationMs": 0}
"""When an element is due depends on when the one before was sent, so that each is looked at by itself."""
PACINGS: list[dict[str, Any]] = [IN_ONE_GO, WHEN_DUE, ONE_BY_ONE]
WAYS: list[tuple[dict[str, Any], bool]] = [*((pacing, False) for pacing in PACINGS), (WHEN_DUE, True)]
"""The last: what is planned goes along without a step of the job."""

STORED = st.lists(
    st.sampled_from(["key", "delta", "back", "frame", "end", "data", "deleted", "dropped", "labelled"]),
    min_size=1,
    max_size=90,
)
CONDITIONS = st.one_of(
    st.builds(lambda n: {"frameCount": n}, st.integers(1, 60)),
    st.builds(lambda n: {"keyFrameCount": n}, st.integers(1, 20)),
    st.builds(lambda ms: {"tsDeltaSec": {"maxDeltaSec": ms / 1000}}, st.integers(0, 2000)),
    st.just("never"),
)
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "loops": st.integers(1, 2),
    "metadataOnly": st.booleans(),
    "routingLabels": st.sampled_from([None, {"append": ["night"]}]),
}


def store(scene: Scene, stored: list[str]) -> None:
    """What stands there: each word is an element, 40 ms behind the one before."""
    camera, pts = scene.camera, 0
    for place, word in enumerate(stored):
        pts += -20 if word == "back" else 40
        if word == "end":
            camera.add_message(Message.END_OF_STREAM, pts)
        elif word == "data":
            camera.add_message(Message.USER_DATA, pts)
        else:
            kind = ElementKind.FRAME if word == "frame" else ElementKind.PACKET
            said: dict[str, Any] = {"labels": ["day"]} if word == "labelled" else {}
            camera.add(pts, key=word in ("key", "frame") or place == 0, kind=kind, **said)
        if word == "deleted":
            camera.store.commit([DeleteElements(camera.number, pts, pts)])
        elif word == "dropped":
            camera.store.commit([DropPayloads(camera.number, pts, pts)])
    camera.end()


def told(scene: Scene, pacing: dict[str, Any], condition: Any, **members: Any) -> tuple[Any, ...]:
    """All that is seen of a job: what arrived, what it counted, and how it ended."""
    scene.restream(stop(condition), pacing=pacing, **members)
    received = [
        (element_id, [bytes(plane) for plane in planes]) for _, element_id, planes in scene.sink.received
    ]
    said = [(element.attributes, element.is_key) for element in scene.sink.elements]
    state, info = scene.end
    return received, said, scene.sink.ends, state, info, scene.link.reports[-1].position


@given(STORED, CONDITIONS, st.fixed_dictionaries(MEMBERS))
@settings(max_examples=150)
def test_the_same_arrives_and_is_counted_either_way(
    stored: list[str], condition: Any, members: dict[str, Any]
) -> None:
    seen = []
    for pacing, goes_along in WAYS:
        with TemporaryDirectory() as folder:
            scene = Scene(Path(folder))
            scene.goes_along = goes_along
            store(scene, stored)
            seen.append(told(scene, pacing, condition, **members))
    assert all(each == seen[0] for each in seen)


@given(STORED, st.integers(0, 90), st.integers(0, 40))
@settings(max_examples=100)
def test_a_successor_goes_on_at_the_same_element_either_way(
    stored: list[str], dies: int, unsafe: int
) -> None:
    seen = []
    for pacing, goes_along in WAYS:
        with TemporaryDirectory() as folder:
            scene = Scene(Path(folder))
            scene.goes_along = goes_along
            store(scene, stored)
            scene.sink.dies_after, scene.sink.unsafe = dies, unsafe
            try:
                scene.restream(pacing=pacing)
            except Died:
                scene.sink.dies_after = None
                resume = Resume(0, to_text(scene.clock.now()), ())
                scene.restream(resume=resume, state="Running", pacing=pacing)
            assert scene.work is not None
            seen.append((scene.sequences, scene.work.elements, scene.work.key_elements, scene.work.position))
    assert all(each == seen[0] for each in seen)


@pytest.mark.parametrize("pacing", PACINGS)
def test_what_a_sink_has_no_room_for_comes_later_and_once(scene: Scene, pacing: dict[str, Any]) -> None:
    scene.camera.add_every(40, 200)
    scene.camera.end()
    scene.sink.room = 37

    def make_room() -> None:
        scene.sink.room = None

    scene.link.at(20, make_room)
    scene.restream(pacing=pacing)
    assert scene.sequences == list(range(200))


def test_what_was_sent_is_let_go_of_before_it_is_safe() -> None:
    payload = memoryview(b"x")
    watched = ref(payload)
    elements = [Element(ElementKind.PACKET, pts, element_id=bytes([pts]) * 16) for pts in (0, 40)]
    run = Run(5, elements, [0, 40], [], [[payload], [payload]])
    record = Delivered(1, ElementKind.PACKET, 5, 5, 0, 0, 0, 0, 0, 0, 0, b"")
    stretch = Stretch(run, elements, [[payload], [payload]], [], None, StreamClock(), record)
    del payload
    stretch.let_go()
    assert watched() is None
    behind = stretch.record_behind(2)
    assert (behind.sequence, behind.elements, behind.last_id) == (7, 2, elements[1].element_id)
