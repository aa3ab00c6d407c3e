"""Changes of a catalogue become named events of the feed, each at least once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobengine.app.content_events import LOOK_EVERY_S, ContentEvents
from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.embedded import EmbeddedContents
from jobengine.contents.memory import MemoryContents
from jobengine.errors import UnavailableError
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import ContentStore, PutElement
from tests.unit.rest.bench import Bench, make_bench, on_event
from tests.waiting import wait_until

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
    listed = bench.client.get("/api/events", query_string={"filter": 'type == "event.raised"'}).get_json()
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
    events, count = events_of(bench, catalogue), catalogue.changes()
    store.commit([PutElement(made.stream_number(0), Element(ElementKind.PACKET, 0), [b"x"])])
    events.step()

    assert catalogue.changes() == count
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


def test_it_watches_by_itself_until_its_end(bench: Bench, catalogue: Catalogue) -> None:
    catalogue.create("first", {"type": "format"}, [])
    events = events_of(bench, catalogue)
    events.start()
    record(catalogue)
    wait_until(lambda: ("content:a:closed", CLOSED) in raised(bench), 10, "the recording's end is told")
    events.end()
    catalogue.delete("a")

    assert "content:a:deleted" not in [name for name, _ in raised(bench)]
