"""Starts workers through the nursery, and notices the end of any worker by its pidfd.

A worker that a former service started is no child of this one; a pidfd tells its end within
milliseconds all the same. How a worker ended is known of the nursery's own children only.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import structlog

from jobengine.messaging.worker_messages import (
    MAX_FORK_BYTES,
    EndAtOnce,
    Exited,
    Fork,
    Forked,
    FromNursery,
    Left,
    NurseryReady,
    WorkerSurroundings,
    encode,
    nursery_decoder,
)
from jobengine.ports.work import WorkerEnded, WorkerProcess, WorkerStarted
from jobengine.worker.nursery_keeper import NurseryKeeper
from jobengine.worker.process_name import name_for, name_of


class NurseryLauncher:
    """A nursery and the pidfds of all workers. Used by the engine's thread; closed by its owner."""

    def __init__(self, surroundings: WorkerSurroundings, nursery: NurseryKeeper) -> None:
        self._surroundings = surroundings
        self._nursery = nursery
        self._asked: dict[str, Fork] = {}
        """What the nursery was asked for and has not done yet, by job."""
        self._pidfds: dict[int, int] = {}
        self._children: set[int] = set()
        self._statuses: dict[int, int] = {}
        self._gone: set[int] = set()
        self._pauses = Counter(shared=0, spare=0)
        self._log = structlog.get_logger("launcher")

    def filenos(self) -> Sequence[int]:
        """Descriptors that become readable when there is something to `collect`."""
        channel = self._nursery.channel
        return (*(() if channel is None else (channel.fileno(),)), *self._pidfds.values())

    def launch(self, process: WorkerProcess) -> None:
        """Ask the nursery, unless it has been asked for the same and is only late: it would fork both."""
        if process.job_id in self._asked:
            return
        fork = Fork(process.job_id, str(process.spool), str(process.log), self._surroundings, process.group)
        self._asked[process.job_id] = fork
        channel = self._nursery.channel
        if channel is None:
            return  # the next one is asked for it as soon as it is there
        try:
            channel.send(encode(fork))
        except OSError:
            self._replace_nursery()

    def watch(self, process_id: int, job_id: str = "") -> bool:
        if process_id in self._pidfds:
            return True
        try:
            descriptor = os.pidfd_open(process_id)
        except ProcessLookupError:
            return False
        if job_id and name_of(process_id) != name_for(job_id):
            os.close(descriptor)
            return False
        self._pidfds[process_id] = descriptor
        return True

    def kill(self, process_id: int) -> None:
        fd = self._pidfds.get(process_id)
        if fd is not None:
            signal.pidfd_send_signal(fd, signal.SIGKILL)

    @property
    def failures(self) -> Mapping[str, int]:
        """How often a nursery has ended, and how often waiting workers of a kind were left alone for a while
        because they end at once."""
        return {"nursery": self._nursery.failures, **self._pauses}

    def collect(self, ready: Sequence[int]) -> list[WorkerStarted | WorkerEnded]:
        """What has become known through the ready descriptors. Never blocks."""
        news: list[WorkerStarted | WorkerEnded] = []
        channel = self._nursery.channel
        if channel is None:
            self._start_nursery()
        elif channel.fileno() in ready:
            news += self._read_nursery(channel)
        for process_id, fd in list(self._pidfds.items()):
            if fd in ready:
                os.close(fd)
                del self._pidfds[process_id]
                self._gone.add(process_id)
        return news + self._ended()

    def close(self) -> None:
        """End the nursery; workers go on.

        It reads what it is sent only when it has loaded everything, and then ends by itself. One that has
        done all that it was asked for need not be waited for.
        """
        self._nursery.end(at_once=not self._asked)
        for fd in self._pidfds.values():
            os.close(fd)
        self._pidfds.clear()

    def _replace_nursery(self) -> None:
        """A dead nursery's end stays readable, so it is replaced when that is seen, not when it is needed."""
        self._children.clear()
        self._nursery.note_end()
        self._start_nursery()

    def _start_nursery(self) -> None:
        """Start the next one if it is time to.

        What the dead one was asked for last the new one is asked for, but no third one: it may die of it,
        unless it has died before it could be asked. Should the worker have been forked all the same, the
        engine sends one of the two away.
        """
        channel = self._nursery.start_next()
        if channel is None:
            return
        asked, self._asked = self._asked, {}
        for job_id, fork in asked.items():
            try:
                channel.send(encode(fork))
            except OSError:
                self._asked[job_id] = fork

    def _read_nursery(self, channel: socket.socket) -> list[WorkerStarted | WorkerEnded]:
        news: list[WorkerStarted | WorkerEnded] = []
        while True:
            try:
                packed = channel.recv(MAX_FORK_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return news
            except ConnectionResetError:
                packed = b""
            if not packed:
                self._replace_nursery()
                return news
            news += self._note(nursery_decoder.decode(packed))

    def _note(self, message: FromNursery) -> Iterator[WorkerStarted | WorkerEnded]:
        match message:
            case NurseryReady():
                self._nursery.note_ready()
            case Forked(job_id=job_id, process_id=process_id):
                self._asked.pop(job_id, None)
                self._children.add(process_id)
                if not self.watch(process_id):
                    self._gone.add(process_id)
                yield WorkerStarted(job_id, process_id)
            case Exited(process_id=process_id, status=status) if process_id in self._children:
                self._statuses[process_id] = status
            case Left(job_id=job_id, process_id=process_id, status=status):
                yield WorkerEnded(process_id, status, job_id)
            case EndAtOnce(kind=kind, pause_s=pause_s):
                self._pauses[kind] += 1
                self._log.error("waiting_workers.end_at_once", kind=kind, pause_s=pause_s)

    def _ended(self) -> list[WorkerEnded]:
        """The workers whose end can be told: a child's waits for the nursery's word on how it ended."""
        known = [p for p in self._gone if p in self._statuses or p not in self._children]
        self._gone.difference_update(known)
        self._children.difference_update(known)
        return [WorkerEnded(process_id, self._statuses.pop(process_id, None)) for process_id in known]
