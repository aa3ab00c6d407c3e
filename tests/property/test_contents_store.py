"""Whatever is written in whatever order: the embedded store answers like the one in memory.

Also after it was opened again, after its index was lost, and while segments are freed under it.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jobengine.clock import to_us
from jobengine.contents.embedded import EmbeddedContents, EmbeddedOptions
from jobengine.errors import JobEngineError, StreamGone
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind, StoredElement
from jobengine.ports.contents import (
    Capacity,
    ContentStore,
    DeleteDocument,
    DeleteElements,
    DropPayloads,
    DropStream,
    KeepPayload,
    LimitStream,
    PutDocument,
    PutElement,
    PutMode,
    PutPlanes,
    Write,
)
from jobengine.testing.clock import ManualClock
from jobengine.testing.contents.store import MemoryContents
from tests.begun import begun

OPTIONS = EmbeddedOptions(segment_bytes=8 << 10, reserve_bytes=4 << 10, hot_segments=2, expire_elements=7)

STREAMS = st.integers(0, 2)
TIMES = st.integers(-3, 6) | st.sampled_from([PTS_MIN, -(10**6), 1024, 10**6, 2**53 + 1, PTS_MAX])
KINDS = st.sampled_from(ElementKind)
PAYLOADS = st.lists(st.binary(max_size=600), max_size=3)
EXPIRIES = st.none() | st.integers(1, 200)
"""In seconds from the time of the write."""


@st.composite
def elements(draw: st.DrawFn) -> Element:
    """An element with an id, as both stores must make the same."""
    return Element(
        kind=draw(KINDS),
        pts=draw(st.none() | TIMES),
        dts=draw(st.none() | TIMES),
        duration=draw(st.none() | st.integers(0, 9)),
        is_key=draw(st.booleans()),
        plane_sizes=tuple(draw(st.lists(st.integers(0, 9), max_size=2))),
        attributes=draw(st.binary(max_size=40)),
        element_id=draw(st.integers(0, 60)).to_bytes(16, "big"),
    )


PUTS = st.builds(PutElement, STREAMS, elements(), st.none() | PAYLOADS, st.sampled_from(PutMode), EXPIRIES)
WRITES = st.one_of(
    PUTS,
    PUTS,
    PUTS,
    st.builds(
        PutPlanes,
        STREAMS,
        KINDS,
        TIMES,
        st.dictionaries(st.integers(0, 2), st.binary(max_size=600), min_size=1, max_size=2),
        EXPIRIES,
    ),
    st.builds(DeleteElements, STREAMS, TIMES, TIMES, st.none() | KINDS),
    st.builds(DropPayloads, STREAMS, TIMES, TIMES, st.none() | KINDS),
    st.builds(KeepPayload, STREAMS, KINDS, TIMES, st.integers(0, 120)),
    st.builds(DropStream, STREAMS),
    st.builds(
        LimitStream,
        STREAMS,
        st.none() | st.integers(0, 10**8),
        st.none() | st.integers(0, 2000),
    ),
    st.builds(
        PutDocument,
        st.sampled_from("ab"),
        st.sampled_from("xyz"),
        st.dictionaries(st.sampled_from("kl"), st.integers(0, 9)),
        st.none() | st.integers(0, 2),
    ),
    st.builds(DeleteDocument, st.sampled_from("ab"), st.sampled_from("xyz"), st.none() | st.integers(0, 2)),
)

CAPACITIES = st.builds(
    Capacity, st.none() | st.none() | st.integers(0, 4000), st.none() | st.none() | st.integers(0, 12)
)


def answers(store: ContentStore) -> dict[str, Any]:
    """Everything that a store can be asked."""
    found: dict[str, Any] = {name: store.documents(name) for name in "ab"}
    for stream in range(3):
        in_order = store.range(stream, PTS_MIN, PTS_MAX)
        found[f"facts {stream}"] = store.facts(stream)
        found[f"range {stream}"] = in_order
        found[f"backwards {stream}"] = store.range(stream, -2, PTS_MAX, 1, 5, descending=True)
        found[f"scan {stream}"] = store.scan(stream, 0, 1000)
        found[f"nth {stream}"] = store.nth(stream, 2, 3)
        found[f"keys {stream}"] = [store.key_by_pts(stream, pts) for pts in (PTS_MIN, 0, 3, PTS_MAX)]
        found[f"ids {stream}"] = [store.by_id(stream, n.to_bytes(16, "big")) for n in range(61)]
        found[f"key ids {stream}"] = [store.key_by_id(stream, n.to_bytes(16, "big")) for n in (0, 30, 60)]
        found[f"payloads {stream}"] = [
            None if planes is None else [bytes(plane) for plane in planes]
            for planes in store.payloads(in_order)
        ]
    return {what: _without_note(seen) for what, seen in found.items()}


def _without_note(seen: Any) -> Any:
    """What the store noted for itself aside."""
    if isinstance(seen, list):
        return [_without_note(each) for each in seen]
    return msgspec.structs.replace(seen, payload_place=None) if isinstance(seen, StoredElement) else seen


class TwoStores(RuleBasedStateMachine):
    """The same is done to both."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="contents-"))
        self.clock = ManualClock()
        self.model = MemoryContents(self.clock)
        self.store = begun(self.opened(), range(3))
        begun(self.model, range(3))
        self.pins: list[tuple[str, str]] = []

    def opened(self) -> EmbeddedContents:
        """The embedded store, from its files."""
        return EmbeddedContents(self.folder, self.clock, OPTIONS)

    @rule(writes=st.lists(WRITES, min_size=1, max_size=6))
    def commit(self, writes: list[Write]) -> None:
        now_us = to_us(self.clock.now())
        timed = [timed_from(write, now_us) for write in writes]
        assert outcome_of(self.store, timed) == outcome_of(self.model, timed)

    @rule(seconds=st.integers(0, 150), capacity=CAPACITIES)
    def expire(self, seconds: int, capacity: Capacity) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        now_us = to_us(self.clock.now())
        is_full = self.model.expire(now_us, capacity).is_full
        steps = (self.store.expire(now_us, capacity) for _ in range(100))
        assert next(step for step in steps if step.did_nothing).is_full == is_full

    @rule(stream=STREAMS, first=st.integers(0, 9), count=st.integers(0, 9), seconds=st.integers(1, 200))
    def pin(self, stream: int, first: int, count: int, seconds: int) -> None:
        pin = (stream, first, first + count, to_us(self.clock.now()) + seconds * 1_000_000)
        try:
            in_model = self.model.pin(*pin)
        except StreamGone:
            with pytest.raises(StreamGone):
                self.store.pin(*pin)
        else:
            self.pins.append((in_model, self.store.pin(*pin)))

    @rule()
    def unpin(self) -> None:
        if self.pins:
            in_model, in_store = self.pins.pop()
            self.model.unpin(in_model)
            self.store.unpin(in_store)

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = self.opened()
        assert self.store.opening.reindexed_elements == 0

    @rule()
    def lose_the_index(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder / "index")
        self.store = self.opened()
        assert self.store.opening.cut_bytes == 0

    @invariant()
    def both_answer_the_same(self) -> None:
        expected = answers(self.model)
        found = answers(self.store)
        for question, answer in expected.items():
            assert found[question] == answer, question

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


def timed_from(write: Write, now_us: int) -> Write:
    """The same, its seconds counted from now on."""
    match write:
        case PutElement(stream, element, planes, mode, int(seconds)):
            return PutElement(stream, element, planes, mode, now_us + seconds * 1_000_000)
        case PutPlanes(stream, kind, pts, planes, int(seconds)):
            return PutPlanes(stream, kind, pts, planes, now_us + seconds * 1_000_000)
        case KeepPayload(stream, kind, pts, seconds):
            return KeepPayload(stream, kind, pts, now_us + seconds * 1_000_000)
    return write


def outcome_of(store: ContentStore, writes: list[Write]) -> Any:
    """What a commit did, or what it was refused for."""
    try:
        return store.commit(writes)
    except JobEngineError as fault:
        return type(fault)


TestTwoStores = TwoStores.TestCase
TestTwoStores.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
