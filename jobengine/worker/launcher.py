"""Starts workers through the nursery, and notices the end of any worker by its pidfd.

A worker that a former service started is no child of this one; a pidfd tells its end within
milliseconds all the same. How a worker ended is known of the nursery's own children only.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from jobengine.messaging.worker_messages import (
    MAX_FORK_BYTES,
    EndAtOnce,
    Exited,
    Fork,
    Forked,
    Keep,
    Left,
    encode,
    nursery_decoder,
)
from jobengine.ports.work import WorkerEnded, WorkerProcess, WorkerStarted
from jobengine.worker.nursery_process import NurseryProcess, start_nursery


@dataclass(frozen=True, slots=True)
class WorkerSurroundings:
    """What every worker of one service gets to know, as in `jobengine.ports.work.WorkContext`."""

    address: str
    logs: str
    media_base: str
    media_roots: tuple[str, ...]
    url_schemes: tuple[str, ...]
    orphan_grace_s: float
    contents: str = ""
    results: str = ""
    result_lifetime_s: float = 10.0
    copy_urls: tuple[str, ...] = ()
    push_targets: tuple[tuple[str, str], ...] = ()


class NurseryLauncher:
    """A nursery process and the pidfds of all workers. Used by the engine's thread; closed by its owner.

    ``keep``: what a nursery keeps ready. ``nursery``: one that was told so already, to begin with.
    """

    def __init__(
        self, surroundings: WorkerSurroundings, keep: Keep, nursery: NurseryProcess | None = None
    ) -> None:
        self._surroundings = surroundings
        self._keep = keep
        self._nursery = nursery or start_nursery(keep)
        self._asked: dict[str, Fork] = {}
        """What the nursery was asked for and has not done yet, by job."""
        self._pidfds: dict[int, int] = {}
        self._children: set[int] = set()
        self._statuses: dict[int, int] = {}
        self._gone: set[int] = set()
        self._log = structlog.get_logger("launcher")

    def filenos(self) -> Sequence[int]:
        """Descriptors that become readable when there is something to `collect`."""
        return (self._nursery.channel.fileno(), *self._pidfds.values())

    def launch(self, process: WorkerProcess) -> None:
        """Ask the nursery, unless it has been asked for the same and is only late: it would fork both."""
        if process.job_id in self._asked:
            return
        fork = Fork(
            job_id=process.job_id,
            address=self._surroundings.address,
            spool=str(process.spool),
            log=str(process.log),
            group=process.group,
            media_base=self._surroundings.media_base,
            media_roots=self._surroundings.media_roots,
            url_schemes=self._surroundings.url_schemes,
            orphan_grace_s=self._surroundings.orphan_grace_s,
            contents=self._surroundings.contents,
            results=self._surroundings.results,
            result_lifetime_s=self._surroundings.result_lifetime_s,
            copy_urls=self._surroundings.copy_urls,
            push_targets=self._surroundings.push_targets,
        )
        self._asked[process.job_id] = fork
        try:
            self._nursery.channel.send(encode(fork))
        except OSError:
            self._restart_nursery()

    def watch(self, process_id: int) -> bool:
        if process_id in self._pidfds:
            return True
        try:
            self._pidfds[process_id] = os.pidfd_open(process_id)
        except ProcessLookupError:
            return False
        return True

    def kill(self, process_id: int) -> None:
        fd = self._pidfds.get(process_id)
        if fd is not None:
            signal.pidfd_send_signal(fd, signal.SIGKILL)

    def collect(self, ready: Sequence[int]) -> list[WorkerStarted | WorkerEnded]:
        """What has become known through the ready descriptors. Never blocks."""
        news: list[WorkerStarted | WorkerEnded] = []
        if self._nursery.channel.fileno() in ready:
            news += self._read_nursery()
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

    def _restart_nursery(self) -> None:
        """A dead nursery's end stays readable, so it is replaced when that is seen, not when it is needed.

        What the dead one was asked for last the new one is asked for, but no third one: it may die of it.
        Should the worker have been forked all the same, the engine sends one of the two away.
        """
        self._children.clear()
        self._log.warning("nursery.restarted", exit_code=self._nursery.end())
        self._nursery = start_nursery(self._keep)
        asked, self._asked = self._asked, {}
        for fork in asked.values():
            self._nursery.channel.send(encode(fork))

    def _read_nursery(self) -> list[WorkerStarted | WorkerEnded]:
        news: list[WorkerStarted | WorkerEnded] = []
        while True:
            try:
                packed = self._nursery.channel.recv(MAX_FORK_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return news
            except ConnectionResetError:
                packed = b""
            if not packed:
                self._restart_nursery()
                return news
            match nursery_decoder.decode(packed):
                case Forked(job_id=job_id, process_id=process_id):
                    self._asked.pop(job_id, None)
                    self._children.add(process_id)
                    if not self.watch(process_id):
                        self._gone.add(process_id)
                    news.append(WorkerStarted(job_id, process_id))
                case Exited(process_id=process_id, status=status) if process_id in self._children:
                    self._statuses[process_id] = status
                case Left(job_id=job_id, process_id=process_id, status=status):
                    news.append(WorkerEnded(process_id, status, job_id))
                case EndAtOnce(kind=kind, pause_s=pause_s):
                    self._log.error("waiting_workers.end_at_once", kind=kind, pause_s=pause_s)

    def _ended(self) -> list[WorkerEnded]:
        """The workers whose end can be told: a child's waits for the nursery's word on how it ended."""
        known = [p for p in self._gone if p in self._statuses or p not in self._children]
        self._gone.difference_update(known)
        self._children.difference_update(known)
        return [WorkerEnded(process_id, self._statuses.pop(process_id, None)) for process_id in known]
