"""A worker that is told to stop while it waits is woken by that, alone and where jobs share a process."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from jobengine.clock import SystemClock
from jobengine.messaging.spool import Spool
from jobengine.messaging.worker_channel import DealerChannel, SharedChannel
from jobengine.messaging.worker_link import WorkerLink
from jobengine.messaging.worker_messages import Fork, WorkerSurroundings, encode
from jobengine.testing import SyntheticWork
from jobengine.worker import main
from jobengine.worker.main import Worker
from jobengine.worker.shared import JobLog, SharedWorker
from jobengine.worker.stop_signal import StopSignal
from tests.waiting import PATIENCE_MS, PATIENCE_S

FOR_EVER_NS = 3_600_000_000_000
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[StopSignal]:
    """What the process of a worker installs; and nothing but a signal ends the wait for a job."""
    monkeypatch.setattr(main, "HELLO_PERIOD_NS", FOR_EVER_NS)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signals = StopSignal()
    signals.install()
    yield signals
    for number, handler in before.items():
        signal.signal(number, handler)
    for descriptor in signals.descriptors:
        os.close(descriptor)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where an engine is that tells the process to stop when it is greeted."""
    url = f"ipc://{tmp_path}/workers"

    def stop_at_greeting() -> None:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as engine:
            engine.bind(url)
            assert engine.poll(PATIENCE_MS)
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop_at_greeting)
    thread.start()
    yield url
    thread.join(PATIENCE_S)


@pytest.fixture
def context() -> Iterator[zmq.Context[Any]]:
    with zmq.Context() as context:
        yield context


def fork(address: str, tmp_path: Path) -> Fork:
    return Fork(
        job_id="job",
        spool=str(tmp_path / "job.reports"),
        log=str(tmp_path / "job.log"),
        surroundings=WorkerSurroundings(address, str(tmp_path), (), (), 3600),
    )


def test_alone(signals: StopSignal, address: str, context: zmq.Context[Any], tmp_path: Path) -> None:
    asked = fork(address, tmp_path)
    link = WorkerLink(DealerChannel(context, address, "job:1"), Spool(Path(asked.spool)))
    Worker(asked, link, SystemClock(), signals, 1, lambda kind: SyntheticWork()).run()
    link.close()
    assert signals.stop


@pytest.fixture
def _as_before() -> Iterator[None]:
    """Garbage is the interpreter's to collect again."""
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("_as_before")
def test_where_jobs_share_a_process(
    signals: StopSignal, address: str, context: zmq.Context[Any], tmp_path: Path
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = SharedChannel(context, address, 1)
    with ours, theirs:
        ours.send(encode(fork(address, tmp_path)))
        clock = SystemClock()
        SharedWorker(theirs, channel, clock, signals, lambda kind: SyntheticWork(), JobLog()).run()
    channel.close()
    assert signals.stop
