"""The warm parent: forks workers that find every library loaded.

It opens no container, device, thread or ZeroMQ context, so that forking stays safe. It lives and dies
with the engine; workers are sessions of their own and outlive both. Messages go over the socket pair
that is its standard input: ``Fork`` in, ``Forked``, ``Exited`` and ``Left`` out. Light jobs get a place in a
worker that they share (`jobengine.worker.shared`); to those the nursery keeps a socket pair each.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from jobengine.messaging.worker_messages import Exited, Fork, Forked, encode, fork_decoder
from jobengine.worker.main import run_worker
from jobengine.worker.shared import run_shared
from jobengine.worker.shared_workers import SharedWorkers
from jobengine.worker.works import preload

MAX_MESSAGE_BYTES = 65536
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve forks until the engine closes its end."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    preload()
    gc.freeze()
    Nursery(socket.socket(fileno=os.dup(sys.stdin.fileno()))).serve()


class Nursery:
    """Forks. ``engine`` is the socket to the engine, closed at the end."""

    def __init__(self, engine: socket.socket) -> None:
        self._engine = engine
        self._child_ended, self._wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._shared = SharedWorkers(self._fork_shared)

    def serve(self) -> None:
        """Until the engine closes its end."""
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            while self._turn():
                pass
        finally:
            signal.set_wakeup_fd(-1)
            self._engine.close()

    def _turn(self) -> bool:
        poller = select.poll()
        shared = tuple(self._shared.descriptors())
        for descriptor in (self._engine.fileno(), self._child_ended, *shared):
            poller.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poller.poll()}
        for descriptor in ready.intersection(shared):
            for left in self._shared.take(descriptor):
                self._engine.send(encode(left))
        if self._child_ended in ready:
            os.read(self._child_ended, 4096)
            _report_ended(self._engine)
        if self._engine.fileno() not in ready:
            return True
        try:
            packed = self._engine.recv(MAX_MESSAGE_BYTES)
        except ConnectionResetError:
            packed = b""
        if packed:
            self._take(fork_decoder.decode(packed))
        return bool(packed)

    def _take(self, fork: Fork) -> None:
        if fork.group:
            process_id = self._shared.place(fork)
        else:
            process_id = self._fork(lambda: run_worker(fork), fork.log)
        self._engine.send(encode(Forked(fork.job_id, process_id)))

    def _fork_shared(self, fork: Fork, channel: socket.socket) -> int:
        log = str(Path(fork.log).with_name(f"shared-{fork.group}.log"))
        return self._fork(lambda: run_shared(fork.address, channel), log)

    def _fork(self, run: Callable[[], None], log: str) -> int:
        """A child that runs ``run`` and ends; its process id, in the parent."""
        process_id = os.fork()
        if process_id:
            return process_id
        status = 1
        try:
            self._become_worker(log)
            run()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _become_worker(self, log: str) -> None:
        """Let go of everything that is the nursery's; output goes to a log."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._engine.close()
        self._shared.close()
        for fd in (self._child_ended, self._wakeup):
            os.close(fd)
        _send_output_to(log)


def _send_output_to(log: str) -> None:
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(null)
    os.close(file)


def _report_ended(channel: socket.socket) -> None:
    while True:
        try:
            process_id, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not process_id:
            return
        channel.send(encode(Exited(process_id, os.waitstatus_to_exitcode(status))))


def _die_with_parent() -> None:
    """Linux: the kernel sends SIGTERM when the engine is gone, however it went."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    main()
