"""Workers that were forked ahead and wait for a job: the nursery's side of them, and their own.

A fork takes the nursery 3 ms, and what it forks has to copy every page that it writes to. Spare workers have
done that when a job is posted. They are made while nothing else is to be done, and end with the nursery.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from jobengine.messaging.worker_messages import MAX_FORK_BYTES, Fork, encode, fork_decoder
from jobengine.worker.main import WorkerHost


class Spares:
    """Spare workers of one nursery, at most ``limit``. ``fork`` makes one at a socket; its process id."""

    def __init__(self, limit: int, fork: Callable[[socket.socket], int]) -> None:
        self._limit = limit
        self._fork = fork
        self._waiting: deque[tuple[int, socket.socket]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether there are as many as may be."""
        return len(self._waiting) >= self._limit

    def add(self) -> int:
        """Fork one more; its process id."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Known before the fork, so that the child lets go of it like of all others.
            self._waiting.append((0, ours))
            process_id = self._fork(theirs)
        self._waiting[-1] = (process_id, ours)
        return process_id

    def take(self, fork: Fork) -> int | None:
        """Hand a job to the one that has waited longest; its process id, or None if there is none."""
        while self._waiting:
            process_id, channel = self._waiting.popleft()
            with channel:
                try:
                    channel.send(encode(fork))
                except OSError:
                    continue
                return process_id
        return None

    def forget(self, process_id: int) -> bool:
        """A child has ended; whether it was one that still waited."""
        gone = [entry for entry in self._waiting if entry[0] == process_id]
        for entry in gone:
            entry[1].close()
            self._waiting.remove(entry)
        return bool(gone)

    def close(self) -> None:
        """Let go of all: in the nursery they end by that, in a child of it they are not its own."""
        for _, channel in self._waiting:
            channel.close()
        self._waiting.clear()


def run_spare(
    nursery: socket.socket, get_ready: Callable[[], None], run: Callable[[Fork, WorkerHost], None]
) -> None:
    """Be a spare worker: ``get_ready``, block until the nursery has a job, and ``run`` it.

    Returns as well when the nursery is gone.
    """
    host = WorkerHost()
    get_ready()
    fork = _await_job(nursery)
    if fork is not None:
        run(fork, host)
    else:
        host.close()


def _await_job(nursery: socket.socket) -> Fork | None:
    with nursery:
        try:
            packed = nursery.recv(MAX_FORK_BYTES)
        except ConnectionResetError:
            return None
    return fork_decoder.decode(packed) if packed else None
