"""What a shared worker does while it waits for its first job: it has one that re-streams two elements.

A fork shares its memory with the nursery until it writes there; like a recording
(`jobengine.worker.rehearsal`), the first job of a process would copy the pages, and load what libzmq and the
store need. All of it is rehearsed, from the greeting to the last report.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import zmq

from jobengine.clock import Clock
from jobengine.contents.embedded import EmbeddedContents, EmbeddedOptions
from jobengine.errors import WorkerError
from jobengine.messaging.spool import Spool
from jobengine.messaging.worker_channel import BEAT_NS
from jobengine.messaging.worker_link import WorkerLink
from jobengine.messaging.worker_messages import (
    Acknowledge,
    Arm,
    Assign,
    Fork,
    Hello,
    Report,
    ToWorker,
    WorkerSurroundings,
    encode,
    from_worker,
)
from jobengine.model.element import Element, ElementKind
from jobengine.model.plan import Planned
from jobengine.ports.contents import PutElement
from jobengine.worker.course import Course
from jobengine.worker.main import Worker
from jobengine.worker.restream.resources import Resources
from jobengine.worker.restream.shared_store import SharedStore, share
from jobengine.worker.restream.work import RestreamWork
from jobengine.worker.shared import JobLog
from jobengine.worker.stop_signal import StopSignal

_ELEMENTS = 2
_STEP_US = 1_000
_OPTIONS = EmbeddedOptions(segment_bytes=1 << 16, reserve_bytes=1 << 12, interval_ms=0.0)
_LIMIT_MS = 1_000.0
_END_PARTS = 3
_STREAM = {"type": "Stream", "index": 0, "time_base": [1, 1_000_000]}
_ENGINE = "rehearsal"


def rehearse_restreaming(place: Path, log: JobLog, clock: Clock) -> None:
    """Re-stream from a store of its own to a socket of its own, both in a folder below ``place`` that is gone
    afterwards, as is what comes into the ``log``. Blocks for some 100 ms, and 1 s at most for the socket.
    Raises JobEngineError or OSError, `WorkerError` where nothing arrived."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        own = Path(folder)
        with zmq.Context() as context, context.socket(zmq.ROUTER) as peer, _store(own, clock) as store:
            peer.bind(f"ipc://{own}/peer")
            resources = Resources(clock)
            log.path = own / "log"
            try:
                with closing(resources):
                    _run(own, peer, RestreamWork(clock, lambda _: store, resources.sink), clock)
            finally:
                log.path = None


def _run(own: Path, peer: zmq.Socket[bytes], work: RestreamWork, clock: Clock) -> None:
    """One job, from its greeting to its last report; it is cancelled when all has arrived."""
    fork = _fork(own)
    engine = _Engine(f"dealer+connect:ipc://{own}/peer")
    link = WorkerLink(engine, Spool(Path(fork.spool)))
    worker = Worker(fork, link, clock, StopSignal(), os.getpid(), lambda _: work)
    course = Course(worker.steps())
    course.work = work
    limit_ns, arrived = clock.monotonic_ns() + int(_LIMIT_MS * 1e6), 0
    with closing(link), closing(work), suppress(StopIteration):
        while (now_ns := clock.monotonic_ns()) < limit_ns:
            course.turn(link.receive(0), now_ns)
            while arrived < _ELEMENTS and peer.poll(1):
                arrived += len(peer.recv_multipart()) > _END_PARTS
                if arrived == _ELEMENTS:
                    engine.cancel()
    if arrived < _ELEMENTS:
        raise WorkerError(f"nothing arrived at a rehearsal within {_LIMIT_MS:.0f} ms")


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


class _Engine:
    """A channel to an engine that gives its job to who greets, and takes every report."""

    beat_ns = BEAT_NS

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self._arrived: list[bytes] = []

    def send(self, packed: bytes) -> bool:
        message = from_worker.decode(packed)
        if isinstance(message, Hello):
            self._tell(_assign(self._sink))
        elif isinstance(message, Report):
            self._tell(Acknowledge(_ENGINE, message.sequence))
        return True

    def receive(self, timeout_ms: float, others: Sequence[int] = ()) -> list[bytes]:
        arrived, self._arrived = self._arrived, []
        return arrived

    def cancel(self) -> None:
        """A transition more, that ends the job."""
        self._tell(Arm(_ENGINE, 2, (_immediate(1, "Cancel"),)))

    def close(self) -> None:
        """Nothing is held."""

    def _tell(self, command: ToWorker) -> None:
        self._arrived.append(encode(command))


def _fork(place: Path) -> Fork:
    """The job's files are in the folder, but for its ledger, whose name is the folder's."""
    return Fork(
        job_id="rehearsal",
        spool=str(place / f"{place.name}.reports"),
        log=str(place / "log"),
        surroundings=WorkerSurroundings("", str(place), (), (), _LIMIT_MS / 1000, "rehearsal"),
    )


def _assign(sink: str) -> Assign:
    specification = {
        "source": {"content": "rehearsal"},
        "resultingStream": "rehearsal",
        "sink": {"url": sink},
        "anchor": "first",
        "pacing": {"mode": "absolute"},
    }
    return Assign(
        engine=_ENGINE,
        job_id="rehearsal",
        name="rehearsal",
        kind="restream",
        state="Pending",
        description={"restreamSpec": specification},
        transitions=(_immediate(0, "Start"),),
        settled={},
        revision=1,
        host="",
        report_sequence=0,
    )


def _immediate(position: int, requested: str) -> Planned:
    return Planned(requested, position, {"type": "Immediate", "requestedProcState": requested})
