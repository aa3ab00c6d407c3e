"""The work ``ingest`` with real sockets and a store in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import pytest
import zmq

from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.ids import new_element_id
from jobengine.messaging.sockets.native import NativeEncoder
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind, StoredElement
from jobengine.model.lifecycle import JobState
from jobengine.model.message import Message, message_of
from jobengine.model.roots import MediaRoots
from jobengine.ports.contents import ContentStore
from jobengine.ports.sink import SinkStream
from jobengine.ports.work import WorkContext, goes_by_elements
from jobengine.testing.contents.store import MemoryContents
from jobengine.worker.ingest.work import IngestWork
from tests.integration.sockets import savant
from tests.waiting import PATIENCE_MS, wait_until

CONTEXT = WorkContext("job", "host", MediaRoots(PurePosixPath("/media")))
DOCUMENT = {"type": "Stream", "time_base": [1, 1000], "codecpar": {"codec_type": "video", "name": "h264"}}


class Kept:
    """A store that outlives the works that close it."""

    def __init__(self) -> None:
        self.store = MemoryContents(SystemClock())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def close(self) -> None:
        """Not yet."""


@pytest.fixture
def store() -> Iterator[Any]:
    kept = Kept()
    yield kept
    kept.store.close()


Begin = Callable[..., IngestWork]


@pytest.fixture
def begin(store: ContentStore, folder: Path) -> Iterator[Begin]:
    works: list[IngestWork] = []

    def begin_(kind: str = "router", **members: Any) -> IngestWork:
        work = IngestWork(SystemClock(), lambda url: store)
        works.append(work)
        source = {"url": f"{kind}+bind:ipc://{folder}/in"}
        work.prepare({"ingestSpec": {"source": source, **members}}, CONTEXT)
        work.go()
        return work

    yield begin_
    for work in works:
        work.close()


@pytest.fixture
def peer(zeromq: zmq.Context[Any], folder: Path) -> Iterator[Callable[[int], zmq.Socket[bytes]]]:
    sockets: list[zmq.Socket[bytes]] = []

    def connect(kind: int) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zeromq.socket(kind)
        socket.connect(f"ipc://{folder}/in")
        socket.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
        sockets.append(socket)
        return socket

    yield connect
    for socket in sockets:
        socket.close(linger=0)


Peer = Callable[[int], "zmq.Socket[bytes]"]


def encoder(name: str = "cam") -> NativeEncoder:
    return NativeEncoder(SinkStream(name, {"type": "demuxer", "iformat": "mpegts"}, DOCUMENT))


def element(pts: int, is_key: bool = True) -> Element:
    return Element(
        ElementKind.PACKET,
        pts,
        duration=40,
        is_key=is_key,
        plane_sizes=(4,),
        element_id=new_element_id(),
    )


def run_until(work: IngestWork, condition: Callable[[], Any], what: str) -> None:
    def step() -> Any:
        work.step(None)
        return condition()

    wait_until(step, what)


def counts(work: IngestWork) -> dict[str, Any]:
    counted: dict[str, Any] = work.progress()["counters"]
    return counted


def recorded(store: ContentStore, name: str, index: int = 0) -> list[StoredElement]:
    content = Catalogue(store, SystemClock()).get(name)
    return store.range(content.stream_number(index), PTS_MIN, PTS_MAX)


def test_a_source_becomes_a_content_that_is_ended_with_the_job(
    store: ContentStore, begin: Begin, peer: Peer
) -> None:
    work, dealer, codec = begin(), peer(zmq.DEALER), encoder()
    sent = [element(0), element(40, is_key=False)]
    for each in sent:
        dealer.send_multipart(codec.element(each, [b"data"]))
    dealer.send_multipart(codec.end(["label"]))
    run_until(work, lambda: work.elements == 3, "three elements")
    assert dealer.recv_multipart() == [b"OK"]
    stored = recorded(store, "cam")
    assert [each.element for each in stored[:1]] == [sent[0]]
    assert [message_of(each.element) for each in stored] == [None, None, Message.END_OF_STREAM]
    assert stored[2].element.pts == 40
    assert [bytes(planes[0]) for planes in store.payloads(stored[:2]) if planes] == [b"data"] * 2
    content = Catalogue(store, SystemClock()).get("cam")
    stream = content.streams[0] or {}
    assert (content.format["iformat"], stream["time_base"], stream["metadata"]) == (
        "mpegts",
        [1, 1000],
        {"source": "cam"},
    )
    assert (work.key_elements, work.position, content.ended) == (1, 40_000, frozenset())
    assert work.finish(JobState.FINISHED) is None
    assert Catalogue(store, SystemClock()).get("cam").ended == {0}
    assert work.outputs[0].url == "/beams/cam/stream_0"


def test_a_repeated_element_is_stored_once(store: ContentStore, begin: Begin, peer: Peer) -> None:
    work, requester, codec = begin("rep"), peer(zmq.REQ), encoder()
    frames = codec.element(element(0), [b"data"])
    for _ in range(2):
        requester.send_multipart(frames)
        run_until(work, lambda: requester.poll(1), "an answer")
        assert requester.recv() == b"OK"
    assert (work.elements, counts(work)["repeated"]) == (1, 1)
    assert len(recorded(store, "cam")) == 1


def test_another_worker_goes_on_with_the_same_stream(store: ContentStore, begin: Begin, peer: Peer) -> None:
    first, dealer, codec = begin(), peer(zmq.DEALER), encoder()
    dealer.send_multipart(codec.element(element(0), [b"data"]))
    run_until(first, lambda: first.elements == 1, "an element")
    first.close()
    second = begin()
    run_until(second, lambda: counts(second)["peers"], "the dealer to be there again")
    dealer.send_multipart(codec.element(element(40), [b"data"]))
    run_until(second, lambda: second.elements == 2, "the second element")
    assert [each.element.pts for each in recorded(store, "cam")] == [0, 40]


def test_sources_may_share_a_content(store: ContentStore, begin: Begin, peer: Peer) -> None:
    work, dealer = begin(content="all", retention={"payloadAgeS": 60}), peer(zmq.DEALER)
    for name in ("one", "two", "one"):
        dealer.send_multipart(encoder(name).element(element(0), [b"data"]))
    run_until(work, lambda: work.elements == 3, "three elements")
    assert [len(recorded(store, "all", index)) for index in (0, 1)] == [2, 1]
    assert Catalogue(store, SystemClock()).get("all").limits.payload_age_s == 60


def test_a_content_deleted_meanwhile_is_made_anew_and_leaves_nothing_behind(
    store: ContentStore, begin: Begin, peer: Peer
) -> None:
    work, dealer, codec = begin(), peer(zmq.DEALER), encoder()
    catalogue = Catalogue(store, SystemClock())
    dealer.send_multipart(codec.element(element(0), [b"data"]))
    run_until(work, lambda: work.elements == 1, "an element")
    deleted = catalogue.delete("cam").stream_number(0)
    dealer.send_multipart(codec.element(element(40), [b"data"]))
    dealer.send_multipart(codec.element(element(80), [b"data"]))
    run_until(work, lambda: work.elements == 3, "what came behind the deletion")
    assert store.facts(deleted).next_sequence == 0
    assert [each.element.pts for each in recorded(store, "cam")] == [40, 80]
    catalogue.delete("cam")
    assert work.finish(JobState.FINISHED) is None


def test_metadata_may_be_all_that_is_kept(store: ContentStore, begin: Begin, peer: Peer) -> None:
    work, dealer = begin(metadataOnly=True), peer(zmq.DEALER)
    dealer.send_multipart(encoder().element(element(0), [b"data"]))
    run_until(work, lambda: work.elements == 1, "an element")
    assert store.payloads(recorded(store, "cam")) == [None]


def test_what_can_not_be_recorded_is_counted_and_the_rest_is_recorded(
    store: ContentStore, begin: Begin, peer: Peer
) -> None:
    work, dealer, codec = begin(maxSources=1), peer(zmq.DEALER), encoder()
    dealer.send_multipart([b"cam"])
    dealer.send_multipart([b"cam", b"\xc1"])
    dealer.send_multipart(codec.element(element(0), [b"data"]))
    dealer.send_multipart(codec.element(element(40), [b""] * 65))
    dealer.send_multipart(encoder("another").element(element(0), [b"data"]))
    dealer.send_multipart([b"cam", msgspec.msgpack.encode({"version": 9, "message": "packet"})])
    run_until(work, lambda: "otherVersion" in counts(work), "the last one")
    seen = counts(work)
    assert {name: seen[name] for name in ("tooShort", "unreadable", "refused", "elements")} == {
        "tooShort": 1,
        "unreadable": 1,
        "refused": 2,
        "elements": 1,
    }


def test_lost_messages_are_counted(begin: Begin, peer: Peer) -> None:
    work, dealer, codec = begin(), peer(zmq.DEALER), encoder()
    frames = [codec.element(element(pts), [b"data"]) for pts in range(5)]
    for place in (0, 3, 4):
        dealer.send_multipart(frames[place])
    run_until(work, lambda: work.elements == 3, "three elements")
    assert counts(work)["lost"] == 2


def test_times_are_told_on_the_time_base_of_the_stream(store: ContentStore, begin: Begin, peer: Peer) -> None:
    work, dealer = begin(), peer(zmq.DEALER)
    faster = NativeEncoder(SinkStream("cam", {}, {**DOCUMENT, "time_base": [1, 90_000]}))
    dealer.send_multipart(encoder().element(element(1000), [b"data"]))
    dealer.send_multipart(faster.element(element(180_000), [b"data"]))
    run_until(work, lambda: work.elements == 2, "two elements")
    assert [each.element.pts for each in recorded(store, "cam")] == [1000, 2000]
    assert work.position == Fraction(1_000_000)


def test_messages_are_passed_on_as_they_came(
    zeromq: zmq.Context[Any], begin: Begin, peer: Peer, folder: Path
) -> None:
    downstream: zmq.Socket[bytes] = zeromq.socket(zmq.ROUTER)
    downstream.bind(f"ipc://{folder}/out")
    sink = {"url": f"dealer+connect:ipc://{folder}/out"}
    work, dealer = begin(passThrough={"sink": sink}), peer(zmq.DEALER)
    frames = encoder("test").element(element(0), [b"1"])
    dealer.send_multipart(frames)
    run_until(work, lambda: downstream.poll(1), "the message downstream")
    assert downstream.recv_multipart()[1:] == list(frames)
    downstream.close()


def test_a_stuck_sink_of_messages_passed_on_never_holds_the_recording_up(
    store: ContentStore, begin: Begin, peer: Peer, folder: Path
) -> None:
    sink = {"url": f"dealer+connect:ipc://{folder}/nobody", "options": {"inflightOps": 5}}
    work, dealer, codec = begin(passThrough={"sink": sink}), peer(zmq.DEALER), encoder()
    for pts in range(50):
        dealer.send_multipart(codec.element(element(pts), [b"data"]))
    run_until(work, lambda: work.elements == 50, "fifty elements")
    seen = counts(work)
    assert (seen["passed"], seen["passDropped"]) == (5, 40)


def test_a_work_goes_by_elements_and_is_closed_twice_without_harm(begin: Begin) -> None:
    work = begin()
    assert goes_by_elements(work)
    assert work.step(None) > 0
    work.close()
    work.close()


@pytest.mark.needs("savant_rs")
@pytest.mark.parametrize(("theirs", "ours"), [("dealer", "router"), ("req", "rep"), ("pub", "sub")])
def test_a_stock_savant_writer_is_recorded(
    store: ContentStore, begin: Begin, folder: Path, theirs: str, ours: str
) -> None:
    work = begin(ours, codec="savant", topics={"prefix": "cam"})
    frame = savant.frame()
    with savant.writing(f"{theirs}+connect:ipc://{folder}/in") as writer:
        run_until(work, lambda: counts(work)["peers"], "the writer")
        results: list[Any] = []

        def has_frame() -> bool:
            """A publisher doesn't wait for its subscribers, so it says it again; it is recorded once."""
            if theirs == "pub" or not results:
                results.append(writer.send_message("cam", frame.to_message(), b"pixels"))
            return work.elements == 1

        run_until(work, has_frame, "a frame")
        results.append(writer.send_eos("cam"))
        run_until(work, lambda: work.elements == 2, "its end")
        assert all(type(result.get()).__name__ != "WriterResultAckTimeout" for result in results)
    stored = recorded(store, "cam")
    assert [(each.element.pts, message_of(each.element)) for each in stored] == [
        (40_000, None),
        (40_000, Message.END_OF_STREAM),
    ]
    stream = Catalogue(store, SystemClock()).get("cam").streams[0] or {}
    assert stream["codecpar"] == {
        "type": "CodecParameters",
        "codec_type": "video",
        "name": "h264",
        "width": 1280,
        "height": 720,
    }
