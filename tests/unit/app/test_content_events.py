"""Changes of a catalogue become named events of the feed, each at least once, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobengine.app.content_events import LOOK_EVERY_S, TOLD_AT_ONCE, ContentEvents
from jobengine.app.repeated import Repeated
from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.embedded import EmbeddedContents
from jobengine.errors import UnavailableError
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import ContentStore, PutElement
from jobengine.testing.contents.store import MemoryContents
from tests.unit.rest.bench import Bench, make_bench, on_event
from tests.waiting import PATIENCE_S, wait_until

CLOCK = SystemClock()
STREAM = {"type": "Stream"}
CLOSED = {"content": "a", "stream": 0, "isClosed": True}


@pytest.fixture
def bench(tmp_path: Path, sqlite_url: str) -> Iterator[Bench]:
    made = make_bench(tmp_path, sqlite_url)
    yield made
    made.database.close()


@pytest.fixture(params=["embedded", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ContentStore]:
    """A new store."""
    is_memory = request.param == "memory"
    store = MemoryContents(CLOCK) if is_memory else EmbeddedContents(tmp_path / "contents", CLOCK)
    yield store
    store.close()


@pytest.fixture
def catalogue(store: ContentStore) -> Catalogue:
    return Catalogue(store, CLOCK)


def events_of(bench: Bench, catalogue: Catalogue) -> ContentEvents:
    """They have seen the catalogue once."""
    engine: Any = bench.engine
    events = ContentEvents(catalogue, engine, CLOCK)
    events.step()
    return events


def record(catalogue: Catalogue) -> None:
    """A content with one stream, closed at once."""
    made = catalogue.create("a", {"type": "format"}, [STREAM])
    catalogue.change(replace(made, ended=frozenset({0})), made.revision)


def raised(bench: Bench) -> list[tuple[str, Any]]:
    """The named events of the feed."""
    query = {"filter": 'type == "event.raised"', "limit": 500}
    listed = bench.client.get("/api/events", query_string=query).get_json()
    assert all(event["data"]["actor"] == "contents" for event in listed)
    return [(event["data"]["name"], event["data"]["data"]) for event in listed]


def test_a_life_of_a_content_is_told(bench: Bench, catalogue: Catalogue) -> None:
    events = events_of(bench, catalogue)
    made = catalogue.create("a", {"type": "format"}, [])
    events.step()
    made = catalogue.change(replace(made, streams=(STREAM,)), made.revision)
    events.step()
    catalogue.change(replace(made, ended=frozenset({0})), made.revision)
    events.step()
    catalogue.delete("a")
    events.step()

    assert raised(bench) == [
        ("content:a:created", {"content": "a"}),
        ("content:a:changed", {"content": "a"}),
        ("content:a:closed", CLOSED),
        ("content:a:deleted", {"content": "a"}),
    ]


def test_who_waits_for_the_end_of_a_recording_starts(bench: Bench, catalogue: Catalogue) -> None:
    events = events_of(bench, catalogue)
    trigger = {"type": "Event", "name": "content:a:closed", "match": {"isClosed": True}}
    waiting = on_event("Cancel")
    job_id = bench.submit({**waiting, "trigger": {**waiting["trigger"], **trigger}})["jobId"]
    record(catalogue)
    events.step()

    assert bench.client.get(f"/api/jobs/{job_id}").get_json()["currentState"] == "Cancelled"


def test_what_is_there_already_is_not_told(bench: Bench, catalogue: Catalogue) -> None:
    record(catalogue)
    events_of(bench, catalogue).step()

    assert raised(bench) == []


def test_an_element_raises_nothing_and_is_not_a_reason_to_read_the_catalogue(
    bench: Bench, store: ContentStore, catalogue: Catalogue
) -> None:
    made = catalogue.create("a", {"type": "format"}, [STREAM])
    events, before = events_of(bench, catalogue), catalogue.changes_since(0)
    store.commit([PutElement(made.stream_number(0), Element(ElementKind.PACKET, 0), [b"x"])])
    events.step()

    assert catalogue.changes_since(0) == before
    assert raised(bench) == []


def test_what_the_engine_could_not_be_told_is_told_once_it_is_back(
    bench: Bench, catalogue: Catalogue
) -> None:
    events = events_of(bench, catalogue)
    record(catalogue)
    bench.engine.is_away = True
    for _ in range(2):
        with pytest.raises(UnavailableError):
            events.step()
    catalogue.delete("a")
    bench.engine.is_away = False

    assert events.step() == 0.0
    assert events.step() >= LOOK_EVERY_S
    assert [name for name, _ in raised(bench)] == [
        "content:a:created",
        "content:a:closed",
        "content:a:deleted",
    ]


def test_more_contents_than_are_read_at_once_are_all_seen(bench: Bench, catalogue: Catalogue) -> None:
    for number in range(501):
        catalogue.create(f"{number:03d}", {"type": "format"}, [])
    events = events_of(bench, catalogue)
    catalogue.delete("000")
    catalogue.delete("500")
    events.step()

    assert [name for name, _ in raised(bench)] == ["content:000:deleted", "content:500:deleted"]


def test_more_events_than_one_step_raises_are_raised_by_the_next_ones(
    bench: Bench, catalogue: Catalogue
) -> None:
    events = events_of(bench, catalogue)
    for number in range(TOLD_AT_ONCE + 1):
        catalogue.create(f"{number:03d}", {"type": "format"}, [])

    assert events.step() == 0.0
    assert events.step() == 0.0
    assert events.step() >= LOOK_EVERY_S
    assert [name for name, _ in raised(bench)] == [
        f"content:{number:03d}:created" for number in range(TOLD_AT_ONCE + 1)
    ]


def test_an_error_that_nobody_foresaw_does_not_end_the_watch_and_nothing_is_lost_or_told_twice(
    bench: Bench, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = events_of(bench, catalogue)
    ask = bench.engine.ask
    faults = deque([None, ValueError("no answer of this kind"), KeyError("name"), None])

    def ask_with_faults(*given: Any, **members: Any) -> Any:
        if faults and (fault := faults.popleft()):
            raise fault
        return ask(*given, **members)

    monkeypatch.setattr(bench.engine, "ask", ask_with_faults)
    record(catalogue)
    task = Repeated("content-events", events.step, "contents.not_watched", 0.01, CLOCK)
    task.start()
    wait_until(lambda: ("content:a:closed", CLOSED) in raised(bench), "the recording's end is told")
    assert task.end(PATIENCE_S)

    assert task.failures == 2
    assert [name for name, _ in raised(bench)] == ["content:a:created", "content:a:closed"]
