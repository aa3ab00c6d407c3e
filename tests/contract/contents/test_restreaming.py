"""Recording from a socket and re-streaming at its live edge, over every backend: nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any, cast

import pytest
import zmq

from jobengine.clock import Clock, SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.ids import new_element_id
from jobengine.messaging.sockets.native import NativeEncoder
from jobengine.model.element import Element, ElementKind, StoredElement
from jobengine.model.lifecycle import JobState
from jobengine.model.roots import MediaRoots
from jobengine.ports.contents import Buffer, ContentStore, PutElement
from jobengine.ports.sink import Sink, SinkStream
from jobengine.ports.work import WorkContext
from jobengine.worker.ingest.work import IngestWork
from jobengine.worker.restream.content_writer import ContentWriter
from jobengine.worker.restream.grouped_sink import GroupedSink
from jobengine.worker.restream.shared_store import share
from jobengine.worker.restream.work import RestreamWork
from tests.ports import free_port
from tests.unit.worker.restream.at_once import AtOnce
from tests.waiting import wait_until

DOCUMENT = {"type": "Stream", "index": 0, "time_base": [1, 1000], "codecpar": {"codec_type": "video"}}
CONTEXT = WorkContext("job", "host", MediaRoots(PurePosixPath("/media")))
RECORDS, GROUP, JOBS = 10_000, 100, 8


class Ids:
    """A sink that keeps the ids of what it was offered."""

    def __init__(self) -> None:
        self.ids: list[bytes] = []
        self.mark = self.retries = 0
        self.is_ready, self.has_open_circuit = True, False
        self.descriptors: Sequence[int] = ()

    @property
    def delivered(self) -> int:
        return len(self.ids)

    safe = delivered

    def offer(self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]]) -> int:
        for element, of_element in zip(elements, planes, strict=True):
            assert [bytes(plane) for plane in of_element] == [element.element_id]
            self.ids.append(element.element_id)
        return len(elements)

    def offer_end(self, labels: Sequence[str], element_id: bytes) -> bool:
        return self.offer([Element(ElementKind.PACKET, None, element_id=element_id)], [[element_id]]) == 1

    def give_up(self) -> int:
        return 0

    def poll(self) -> None:
        """Nothing arrives."""

    def close(self) -> None:
        """Nothing is open."""


class Kept:
    """A store that outlives the work that closes it."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def close(self) -> None:
        """Not yet."""


def packet(number: int) -> Element:
    return Element(
        ElementKind.PACKET, number, is_key=number % 50 == 0, plane_sizes=(16,), element_id=new_element_id()
    )


def restream(store: ContentStore, clock: Clock, sink: Sink, **members: Any) -> RestreamWork:
    """A job over the content ``camera`` that runs."""
    spec = {
        "source": {"content": "camera"},
        "resultingStream": "vod",
        "sink": {"url": "dealer+connect:tcp://127.0.0.1:1"},
        "anchor": "first",
        "anchorWaitMs": 60_000,
        "maxIdleMs": 60_000,
        "pacing": {"mode": "fast"},
        **members,
    }
    work = RestreamWork(clock, lambda url: share(store, clock, AtOnce()), lambda *_: sink)
    work.prepare({"restreamSpec": spec}, CONTEXT)
    work.start(clock.now())
    work.go()
    return work


def test_g12_jobs_that_follow_a_recording_lose_nothing_at_its_live_edge(store: ContentStore) -> None:
    clock = SystemClock()
    content = Catalogue(store, clock).create("camera", {"type": "format"}, [DOCUMENT])
    elements = [packet(number) for number in range(RECORDS)]

    def record() -> None:
        for begin in range(0, RECORDS, GROUP):
            group = elements[begin : begin + GROUP]
            store.commit([PutElement(content.stream_number(0), each, [each.element_id]) for each in group])

    sinks = [Ids() for _ in range(JOBS)]
    works = [restream(store, clock, sink) for sink in sinks]
    recorder = threading.Thread(target=record)
    recorder.start()

    def has_all() -> bool:
        for work in works:
            go_on(work, clock)
        return all(len(sink.ids) == RECORDS for sink in sinks)

    try:
        wait_until(has_all, "all elements have arrived")
    finally:
        recorder.join()
        for work in works:
            work.close()
    assert all(sink.ids == [each.element_id for each in elements] for sink in sinks)
    assert {work.progress()["counters"]["gaps"] for work in works} == {0}


def go_on(work: IngestWork | RestreamWork, clock: Clock) -> None:
    """Let a work do what it has to do now."""
    while work.step(None) <= clock.monotonic_ns():
        continue


@pytest.fixture
def dealer(zero_copy: None) -> Iterator[zmq.Socket[bytes]]:
    """A writer of another program, not connected yet."""
    context: zmq.Context[Any] = zmq.Context()
    socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
    yield socket
    socket.close(linger=0)
    context.term()


def test_what_a_socket_brings_is_copied_while_it_is_recorded(
    store: ContentStore, dealer: zmq.Socket[bytes]
) -> None:
    clock = SystemClock()
    ingest = IngestWork(clock, lambda url: cast(ContentStore, Kept(store)))
    port = free_port()
    dealer.connect(f"tcp://127.0.0.1:{port}")
    source = {"url": f"router+bind:tcp://127.0.0.1:{port}"}
    ingest.prepare({"ingestSpec": {"source": source, "content": "camera"}}, CONTEXT)
    ingest.go()
    encoder = NativeEncoder(SinkStream("camera", {"type": "format"}, DOCUMENT))
    elements = [packet(number) for number in range(500)]
    for each in elements:
        dealer.send_multipart([bytes(part) for part in encoder.element(each, [each.element_id])])
    Catalogue(store, clock).create("copy", {"type": "format"}, [DOCUMENT])
    with ThreadPoolExecutor(1) as writing:
        sink = GroupedSink(
            ContentWriter(store, clock, ("copy", 0), SinkStream("copy", {}, DOCUMENT)), writing, clock
        )
        work = restream(store, clock, sink, source={"content": "camera"})

        def is_copied() -> bool:
            go_on(ingest, clock)
            go_on(work, clock)
            return sink.delivered >= len(elements)

        wait_until(is_copied, "all elements are copied")
        assert work.finish(JobState.CANCELLED) is None
        work.close()
        ingest.close()
    copied = ids(store, clock, "copy")
    assert copied == ids(store, clock, "camera") == [each.element_id for each in elements]


def ids(store: ContentStore, clock: Clock, name: str) -> list[bytes]:
    """The ids of stream 0 of a content in order of arrival."""
    number = Catalogue(store, clock).get(name).stream_number(0)
    entries = store.scan(number, 0, 10_000)
    return [entry.element.element_id for entry in entries if isinstance(entry, StoredElement)]
