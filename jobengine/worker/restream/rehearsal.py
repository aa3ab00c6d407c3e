"""What a shared worker does while it waits for its first job: it re-streams two elements, over a socket.

A fork shares its memory with the nursery until it writes there; like a recording
(`jobengine.worker.rehearsal`), the first job of a process would copy the pages, and load what libzmq and the
store need.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import zmq

from jobengine.clock import Clock
from jobengine.contents.embedded import EmbeddedContents, EmbeddedOptions
from jobengine.errors import WorkerError
from jobengine.model.element import Element, ElementKind
from jobengine.model.lifecycle import JobState
from jobengine.model.roots import MediaRoots
from jobengine.ports.contents import PutElement
from jobengine.ports.work import WorkContext
from jobengine.worker.restream.resources import Resources
from jobengine.worker.restream.shared_store import SharedStore, share
from jobengine.worker.restream.work import RestreamWork

_ELEMENTS = 2
_STEP_US = 1_000
_OPTIONS = EmbeddedOptions(segment_bytes=1 << 16, reserve_bytes=1 << 12, interval_ms=0.0)
_LIMIT_MS = 1_000.0
_END_PARTS = 3
_STREAM = {"type": "Stream", "index": 0, "time_base": [1, 1_000_000]}


def rehearse_restreaming(place: Path, clock: Clock) -> None:
    """Re-stream from a store of its own to a socket of its own, both in a folder below ``place`` that is gone
    afterwards. Blocks for some 100 ms, and 1 s at most for the socket. Raises JobEngineError or OSError,
    `WorkerError` where nothing arrived."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        own = Path(folder)
        with zmq.Context() as context, context.socket(zmq.ROUTER) as peer, _store(own, clock) as store:
            peer.bind(f"ipc://{own}/peer")
            resources = Resources(clock)
            with closing(resources):
                work = RestreamWork(clock, lambda _: store, resources.sink)
                work.prepare(_description(f"dealer+connect:ipc://{own}/peer"), _context(own))
                with closing(work):
                    _run(work, peer, clock)


def _run(work: RestreamWork, peer: zmq.Socket[bytes], clock: Clock) -> None:
    """Until all has arrived, as a drive would do it."""
    limit_ns = clock.monotonic_ns() + int(_LIMIT_MS * 1e6)
    arrived = 0
    work.start(clock.now())
    work.go()
    while arrived < _ELEMENTS:
        if clock.monotonic_ns() > limit_ns:
            raise WorkerError(f"nothing arrived at a rehearsal within {_LIMIT_MS:.0f} ms")
        work.step(None)
        while peer.poll(1):
            arrived += len(peer.recv_multipart()) > _END_PARTS
    work.finish(JobState.CANCELLED)
    work.progress()


@contextmanager
def _store(place: Path, clock: Clock) -> Iterator[SharedStore]:
    store = EmbeddedContents(place / "contents", clock, _OPTIONS)
    with ThreadPoolExecutor(1, "pinning") as executor:
        shared = share(store, clock, executor)
        content = shared.catalogue.create("rehearsal", {"type": "Format"}, [_STREAM])
        number = content.stream_number(0)
        elements = (
            Element(ElementKind.PACKET, n * _STEP_US, is_key=True, plane_sizes=(1,)) for n in range(_ELEMENTS)
        )
        store.commit([PutElement(number, element, [b"0"]) for element in elements])
        yield shared
    shared.close()


def _context(place: Path) -> WorkContext:
    roots = MediaRoots(PurePosixPath(place))
    return WorkContext("rehearsal", "", "", roots, contents="rehearsal", ledger=str(place / "ledger"))


def _description(sink: str) -> dict[str, Any]:
    return {
        "restreamSpec": {
            "source": {"content": "rehearsal"},
            "resultingStream": "rehearsal",
            "sink": {"url": sink},
            "anchor": "first",
            "pacing": {"mode": "absolute"},
        }
    }
