"""Streams that lost workers have left open are ended, and no others."""

from __future__ import annotations

import pytest

from jobengine.app.left_streams import LeftStreams
from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.errors import UnavailableError
from jobengine.testing.contents.store import MemoryContents

CLOCK = SystemClock()


@pytest.fixture
def store() -> MemoryContents:
    """With a content of two jobs, and a stream of nobody's."""
    store = MemoryContents(CLOCK)
    streams = [{"index": n, "metadata": {"job": job}} for n, job in enumerate(("lost", "other"))]
    Catalogue(store, CLOCK).create("a b", {"type": "format"}, [*streams, {"index": 2}])
    return store


def _ended(store: MemoryContents) -> set[int]:
    return set(Catalogue(store, CLOCK).get("a b").ended)


def test_streams_of_a_job_that_is_over_are_ended_and_those_of_others_are_not(store: MemoryContents) -> None:
    left = LeftStreams(CLOCK)
    left.add("lost", [f"/beams/a%20b/stream_{n}" for n in (0, 1, 2, 7)])
    left.add("lost", ["/beams/gone/stream_0", "pub+connect:tcp://127.0.0.1:5000"])
    left.end_all(store)
    assert _ended(store) == {0, 2}
    left.add("other", ["/beams/a%20b/stream_1"])
    left.end_all(store)
    assert _ended(store) == {0, 1, 2}


def test_what_is_left_waits_until_the_store_is_back(store: MemoryContents) -> None:
    left = LeftStreams(CLOCK)
    left.add("lost", ["/beams/a%20b/stream_0"])
    away = MemoryContents(CLOCK)
    away.close()
    with pytest.raises(UnavailableError):
        left.end_all(away)
    left.end_all(store)
    assert _ended(store) == {0}
