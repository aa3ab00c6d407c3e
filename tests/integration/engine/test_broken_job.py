"""Jobs share a process: one that breaks it wherever it can goes alone."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import zmq

from jobengine.clock import SystemClock
from jobengine.messaging.worker_channel import SharedChannel
from jobengine.messaging.worker_messages import (
    Acknowledge,
    Assign,
    Changed,
    Fork,
    Hello,
    Left,
    WorkerSurroundings,
    encode,
    from_worker,
    left_decoder,
)
from jobengine.model.plan import Planned
from jobengine.ports.work import Work
from jobengine.testing import SyntheticWork
from jobengine.worker.shared import JobLog, SharedWorker
from jobengine.worker.stop_signal import StopSignal
from tests.waiting import PATIENCE_MS, PATIENCE_S

START = Planned("t0", 0, {"type": "Immediate", "requestedProcState": "Start"})


class Elements(SyntheticWork):
    """A work that goes by elements, and has none."""

    elements = key_elements = 0
    last_id = b""
    ended = ""
    behind_ms = 0.0
    is_timely = is_short = False
    descriptors: Sequence[int] = ()

    def go(self) -> None:
        """Nothing to begin."""

    def step(self, milestone: object) -> int:
        return SystemClock().monotonic_ns() + 10_000_000

    def go_along(self, now_ns: int) -> int | None:
        return None

    def finish(self, state: object) -> int | None:
        return None

    def get_ahead(self) -> None:
        """Nothing to read."""


class BreaksWhenLookedAt(Elements):
    @property
    def descriptors(self) -> Sequence[int]:  # type: ignore[override]
        raise KeyError("broken")


class WatchesWhatIsClosed(Elements):
    """Closes what it is watched by, then breaks."""

    def prepare(self, description: Any, context: Any) -> None:
        super().prepare(description, context)
        self._event = os.eventfd(0, os.EFD_CLOEXEC)
        self._steps = 0

    @property
    def descriptors(self) -> Sequence[int]:  # type: ignore[override]
        if self._steps == 2:
            raise KeyError("broken")
        return (self._event,)

    def step(self, milestone: object) -> int:
        self._steps += 1
        if self._steps == 2:
            os.close(self._event)
        return super().step(milestone)


class BreaksReadingAhead(Elements):
    """Which is no reason to go: it ends when it has been tried."""

    is_short = True

    def get_ahead(self) -> None:
        self.is_short, self.ended = False, "it was tried"
        raise KeyError("broken")


class Engine:
    """Gives every worker that greets it its job, of the kind of its name; hears reports until all left."""

    def __init__(self, context: zmq.Context[Any], address: str, nursery: socket.socket) -> None:
        self.left: dict[str, int] = {}
        self.ends: dict[str, str] = {}
        self._nursery = nursery
        self._socket = context.socket(zmq.ROUTER)
        self._socket.bind(address)

    def run(self, jobs: int) -> None:
        nursery = self._nursery
        poller = zmq.Poller()
        for each in (self._socket, nursery):
            poller.register(each, zmq.POLLIN)
        while len(self.left) < jobs:
            ready = dict(poller.poll(PATIENCE_MS))
            if not ready:
                break
            if nursery.fileno() in ready:
                left: Left = left_decoder.decode(nursery.recv(65_536))
                self.left[left.job_id] = left.status
            if self._socket in ready:
                self._answer(*self._socket.recv_multipart())
        nursery.close()
        self._socket.close(linger=0)

    def _answer(self, process: bytes, identity: bytes, packed: bytes) -> None:
        message, job_id = from_worker.decode(packed), identity.decode().partition(":")[0]
        if isinstance(message, Hello):
            command: Any = Assign(
                engine="engine",
                job_id=job_id,
                name="",
                kind=job_id,
                state="Pending",
                description={},
                transitions=(START,),
                settled={},
                revision=1,
                host="test",
                report_sequence=0,
            )
        else:
            if isinstance(message, Changed):
                self.ends[job_id] = message.state
            command = Acknowledge("engine", getattr(message, "sequence", 0))
        self._socket.send_multipart((process, identity, encode(command)))


@pytest.fixture
def context() -> Iterator[zmq.Context[Any]]:
    with zmq.Context() as context:
        yield context


@pytest.mark.parametrize(
    ("broken", "status"),
    [(BreaksWhenLookedAt, 1), (WatchesWhatIsClosed, 1), (BreaksReadingAhead, 0)],
)
def test_others_end_as_they_would(
    context: zmq.Context[Any], tmp_path: Path, broken: type[Elements], status: int
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    address = f"ipc://{tmp_path}/workers"
    engine = Engine(context, address, ours)
    for job_id in ("broken", "whole"):
        ours.send(encode(_fork(job_id, address, tmp_path)))
    thread = threading.Thread(target=engine.run, args=(2,))
    thread.start()
    channel = SharedChannel(context, address, os.getpid())
    works: dict[str, Callable[[], Work]] = {
        "broken": broken,
        "whole": lambda: SyntheticWork(length_ticks=48_000),
    }
    SharedWorker(theirs, channel, SystemClock(), StopSignal(), lambda kind: works[kind](), JobLog()).run()
    thread.join(PATIENCE_S)
    channel.close()
    assert engine.left == {"broken": status, "whole": 0}
    assert engine.ends["whole"] == "Finished"


def _fork(job_id: str, address: str, folder: Path) -> Fork:
    return Fork(
        job_id=job_id,
        spool=str(folder / f"{job_id}.reports"),
        log=str(folder / f"{job_id}.log"),
        surroundings=WorkerSurroundings(address, str(folder), (), (), 3600),
    )
