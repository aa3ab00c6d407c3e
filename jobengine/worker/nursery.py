"""The warm parent: forks workers that find every library loaded.

It opens no container, device, thread or ZeroMQ context, so that forking stays safe. It ends when the engine
closes its end of the socket pair, and the kernel ends it with the process that has started it
(`jobengine.worker.nursery_process`); workers are sessions of their own and outlive both. Messages go over
that socket pair, its standard input: one ``Keep`` and then ``Fork`` in, ``NurseryReady`` and then ``Forked``,
``Exited``, ``Left`` and ``EndAtOnce`` out. Light jobs get a place in a worker that they share
(`jobengine.worker.shared`), others a spare worker that waits for one (`jobengine.worker.spares`), or a new
one; to both kinds the nursery keeps a socket pair each. When they are made is told by
`jobengine.worker.standby`.
"""

from __future__ import annotations

import gc
import os
import select
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from jobengine.clock import Clock, SystemClock
from jobengine.messaging.worker_messages import (
    MAX_FORK_BYTES,
    EndAtOnce,
    Exited,
    Fork,
    Forked,
    Keep,
    NurseryReady,
    encode,
    fork_decoder,
    keep_decoder,
)
from jobengine.model.kind import GROUPS
from jobengine.ready_word import ReadyWords, say_ready
from jobengine.worker.main import WorkerHost
from jobengine.worker.process_name import name_for, name_process
from jobengine.worker.rehearsal import Rehearsal, get_ready, rehearse_recording
from jobengine.worker.restream.rehearsal import rehearse_restreaming
from jobengine.worker.restream.resources import resources
from jobengine.worker.shared import JobLog, run_shared
from jobengine.worker.shared_workers import SharedWorkers
from jobengine.worker.spares import Spares, run_spare
from jobengine.worker.standby import Standby, Waiting
from jobengine.worker.works import preload


def main() -> None:
    """Serve forks until the engine closes its end.

    Signals that a whole group is sent are the engine's business.
    """
    name_process("nursery")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    preload()
    gc.freeze()
    engine = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    packed = engine.recv(MAX_FORK_BYTES)
    if packed:
        Nursery(engine, keep_decoder.decode(packed)).serve()


class Nursery:
    """Forks. ``engine`` is the socket to the engine, closed at the end. If any workers wait for jobs of their
    own, each group has one that waits for the jobs that will share it."""

    def __init__(self, engine: socket.socket, keep: Keep) -> None:
        self._engine = engine
        self._keep = keep
        self._child_ended, self._wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._shared = SharedWorkers(GROUPS if keep.spares else (), self._fork_shared)
        self._spares = Spares(keep.spares, self._fork_spare)
        kinds: dict[str, Waiting] = {"shared": self._shared, "spare": self._spares}
        self._clock = SystemClock()
        self._standby = Standby(kinds, self._clock, self._tell_end_at_once)
        self._words = ReadyWords()
        self._rehearsals = Path(keep.rehearsals)

    def serve(self) -> None:
        """Until the engine closes its end."""
        shutil.rmtree(self._rehearsals, ignore_errors=True)
        self._rehearsals.mkdir(mode=0o700, parents=True, exist_ok=True)
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._engine.send(encode(NurseryReady()))
        try:
            while self._turn():
                pass
        finally:
            signal.set_wakeup_fd(-1)
            self._spares.close()
            self._words.close()
            self._engine.close()

    def _turn(self) -> bool:
        poller = select.poll()
        shared = tuple(self._shared.descriptors())
        for descriptor in (self._engine.fileno(), self._child_ended, *shared):
            poller.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poller.poll(self._standby.wait_ms())}
        if not ready:
            self._standby.make_one()
            return True
        for descriptor in ready.intersection(shared):
            for left in self._shared.take(descriptor):
                self._engine.send(encode(left))
        if self._child_ended in ready:
            os.read(self._child_ended, 4096)
            self._report_ended()
        if self._engine.fileno() not in ready:
            return True
        try:
            packed = self._engine.recv(MAX_FORK_BYTES)
        except ConnectionResetError:
            packed = b""
        if packed:
            self._take(fork_decoder.decode(packed))
        return bool(packed)

    def _take(self, fork: Fork) -> None:
        self._standby.note_start()
        if fork.group:
            process_id = self._shared.place(fork)
        else:
            process_id = self._spares.take(fork) or self._fork(lambda: _run_alone(fork, WorkerHost()))
            self._standby.note_job(process_id)
        self._engine.send(encode(Forked(fork.job_id, process_id)))

    def _report_ended(self) -> None:
        while True:
            try:
                process_id, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process_id:
                return
            served_s = self._words.served_s(process_id, self._clock.monotonic_ns())
            self._standby.note_end(process_id, served_s)
            if not self._spares.forget(process_id):
                self._engine.send(encode(Exited(process_id, os.waitstatus_to_exitcode(status))))

    def _tell_end_at_once(self, kind: str, pause_s: float) -> None:
        self._engine.send(encode(EndAtOnce(kind, pause_s)))

    def _fork_shared(self, group: str, channel: socket.socket) -> int:
        def run() -> None:
            name_process(f"shared {group}")
            _send_output_to(str(Path(self._keep.logs) / f"shared-{group}.log"))
            run_shared(self._keep.address, channel, prepare)

        def prepare(log: JobLog) -> None:
            self._get_ready(partial(self._rehearse_restreaming, log))

        return self._fork(run)

    def _rehearse_restreaming(self, log: JobLog, clock: Clock) -> None:
        rehearse_restreaming(self._rehearsals, log, clock)
        if self._keep.contents:
            resources().get_ready(self._keep.contents)

    def _get_ready(self, rehearse: Rehearsal) -> None:
        """In a fork that waits for jobs: rehearse, and say that it waits."""
        get_ready(rehearse, self._clock)
        say_ready(self._words.mouth, self._clock)

    def _fork_spare(self, channel: socket.socket) -> int:
        def run() -> None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            name_process("spare worker")
            rehearse = partial(rehearse_recording, self._rehearsals)
            run_spare(channel, partial(self._get_ready, rehearse), _run_alone)

        return self._fork(run)

    def _fork(self, run: Callable[[], None]) -> int:
        """A child that runs ``run`` and ends; its process id, in the parent."""
        process_id = os.fork()
        if process_id:
            return process_id
        status = 1
        try:
            self._become_worker()
            run()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _become_worker(self) -> None:
        """Let go of everything that is the nursery's, but what it says by that it is ready."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._engine.close()
        self._shared.close()
        self._spares.close()
        for fd in (self._child_ended, self._wakeup):
            os.close(fd)


def _run_alone(fork: Fork, host: WorkerHost) -> None:
    """Be the worker of one job; output goes to its log."""
    name_process(name_for(fork.job_id))
    _send_output_to(fork.log)
    host.run(fork)
    host.close()


def _send_output_to(log: str) -> None:
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(null)
    os.close(file)
