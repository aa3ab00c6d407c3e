"""The warm parent: forks workers that find every library loaded.

It opens no container, device, thread or ZeroMQ context, so that forking stays safe. It lives and dies
with the engine; workers are sessions of their own and outlive both. Messages go over the socket pair
that is its standard input: ``Fork`` in, ``Forked`` and ``Exited`` out.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import sys
from pathlib import Path

from jobengine.messaging.worker_messages import Exited, Fork, Forked, encode, fork_decoder
from jobengine.worker.main import run_worker
from jobengine.worker.works import preload

MAX_MESSAGE_BYTES = 65536
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve forks until the engine closes its end."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    preload()
    gc.freeze()
    channel = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(write_end)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        _serve(channel, read_end, write_end)
    finally:
        signal.set_wakeup_fd(-1)
        channel.close()


def _serve(channel: socket.socket, child_ended: int, wakeup: int) -> None:
    poller = select.poll()
    poller.register(channel, select.POLLIN)
    poller.register(child_ended, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poller.poll()}
        if child_ended in ready:
            os.read(child_ended, 4096)
            _report_ended(channel)
        if channel.fileno() in ready:
            packed = channel.recv(MAX_MESSAGE_BYTES)
            if not packed:
                return
            _fork_worker(fork_decoder.decode(packed), channel, (child_ended, wakeup))


def _fork_worker(fork: Fork, channel: socket.socket, pipe: tuple[int, int]) -> None:
    process_id = os.fork()
    if process_id:
        channel.send(encode(Forked(fork.job_id, process_id)))
        return
    status = 1
    try:
        _become_worker(fork, channel, pipe)
        run_worker(fork)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _become_worker(fork: Fork, channel: socket.socket, pipe: tuple[int, int]) -> None:
    """Let go of everything that is the nursery's; output goes to the job's log."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    channel.close()
    for fd in pipe:
        os.close(fd)
    Path(fork.log).parent.mkdir(parents=True, exist_ok=True)
    log = os.open(fork.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(null)
    os.close(log)


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
