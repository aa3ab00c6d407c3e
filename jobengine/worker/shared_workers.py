"""The nursery's side of worker processes that jobs share: which there are, and who gets the next job.

Of each group that is to be ready one process is kept from before its first job on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from jobengine.messaging.worker_messages import MAX_FORK_BYTES, Fork, Left, encode, left_decoder

JOBS_PER_WORKER = 400
"""A further process is forked for more, as long as there are processors for it."""


@dataclass(slots=True)
class _Shared:
    process_id: int
    group: str
    channel: socket.socket
    jobs: int = 0


class SharedWorkers:
    """Living shared workers of one nursery. ``fork`` makes one of a group at a socket; its process id.
    ``ready``: the groups that have one before they are asked for it."""

    def __init__(self, ready: Collection[str], fork: Callable[[str, socket.socket], int]) -> None:
        self._ready = ready
        self._fork = fork
        self._workers: dict[int, _Shared] = {}

    @property
    def is_full(self) -> bool:
        """Whether every group that is to be ready has a worker."""
        return not self._lacking()

    def add(self) -> int:
        """Start one for the first group that lacks it; its process id."""
        return self._start(self._lacking()[0]).process_id

    def descriptors(self) -> Iterable[int]:
        """Those that become readable when a job has left, or a worker is gone."""
        return self._workers.keys()

    def close(self) -> None:
        """Let go of all, in a child that is no nursery."""
        for worker in self._workers.values():
            worker.channel.close()
        self._workers.clear()

    def place(self, fork: Fork) -> int:
        """Hand a job to the least busy worker of its group, or to a new one; the process id."""
        known = [worker for worker in self._workers.values() if worker.group == fork.group]
        worker = min(known, key=lambda worker: worker.jobs, default=None)
        is_full = worker is not None and worker.jobs >= JOBS_PER_WORKER and len(known) < _processors()
        if worker is None or is_full:
            worker = self._start(fork.group)
        try:
            worker.channel.send(encode(fork))
        except OSError:
            self._forget(worker)
            return self.place(fork)
        worker.jobs += 1
        return worker.process_id

    def take(self, descriptor: int) -> list[Left]:
        """The jobs that have left a worker."""
        worker = self._workers[descriptor]
        left: list[Left] = []
        while True:
            try:
                packed = worker.channel.recv(MAX_FORK_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return left
            except ConnectionResetError:
                packed = b""
            if not packed:
                self._forget(worker)
                return left
            worker.jobs -= 1
            left.append(left_decoder.decode(packed))

    def _lacking(self) -> list[str]:
        there = {worker.group for worker in self._workers.values()}
        return [group for group in self._ready if group not in there]

    def _start(self, group: str) -> _Shared:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        worker = self._workers[ours.fileno()] = _Shared(0, group, ours)
        with theirs:
            worker.process_id = self._fork(group, theirs)
        return worker

    def _forget(self, worker: _Shared) -> None:
        del self._workers[worker.channel.fileno()]
        worker.channel.close()


def _processors() -> int:
    return len(os.sched_getaffinity(0))
