"""Nothing may outlive the test that started it.

`Footprint` is what this process holds: child processes, threads (ZeroMQ's own ones too, so a context that was
not terminated shows), listening sockets and database connections out of their pool. The difference between
the end and the start of a test is a leak, unless a fixture of wider scope owns it. Children of children are
found at the end of the session, by a mark in their environment.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.waiting import wait_until

MARK = "TEST_RUN_OF_JOBENGINE"
"""The environment variable; the prefix JOBENGINE_ would make it a setting."""

_connections_out: dict[int, str] = {}


@dataclass(frozen=True)
class Footprint:
    """What this process holds at one moment, each thing as a text that names it.

    ``tasks`` are the ids of all native threads, ``zeromq`` of those that say that they are ZeroMQ's: a thread
    names itself only once it runs, so one that was there before and had no name yet is not new.
    """

    things: frozenset[str]
    tasks: frozenset[int] = frozenset()
    zeromq: frozenset[int] = frozenset()

    def __sub__(self, other: Footprint) -> set[str]:
        new = {f"ZeroMQ context not terminated: thread {number}" for number in self.zeromq - other.tasks}
        return set((self.things | new) - other.things)

    def __or__(self, other: Footprint) -> Footprint:
        return Footprint(self.things | other.things, self.tasks | other.tasks, self.zeromq | other.zeromq)


NOTHING = Footprint(frozenset())


def footprint() -> Footprint:
    """What this process holds now."""
    watch_pools()
    things = frozenset({*_children(), *_threads(), *_listeners(), *_connections()})
    names = _native_threads()
    zeromq = frozenset(number for number, name in names.items() if name.startswith("ZMQbg"))
    return Footprint(things, frozenset(names), zeromq)


def leaked(before: Footprint, owned: Footprint) -> set[str]:
    """What has come since ``before`` and no wider fixture owns; waits for it to go."""
    if footprint() - (before | owned):
        try:
            wait_until(lambda: not footprint() - (before | owned), "everything given back")
        except AssertionError:
            return footprint() - (before | owned)
    return set()


def open_files(folder: Path) -> set[str]:
    """Files under ``folder`` that this process still has open."""
    return {path for path in _descriptor_targets() if path.startswith(f"{folder}/")}


def orphans(mark: str) -> list[psutil.Process]:
    """Processes of this run, however deep, that still live."""
    own = os.getpid()
    return [process for process in psutil.process_iter() if process.pid != own and _carries(process, mark)]


def watch_pools() -> None:
    """Count connections that leave SQLAlchemy's pools, once SQLAlchemy is there."""
    if "sqlalchemy.pool" not in sys.modules or getattr(watch_pools, "done", False):
        return
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    event.listen(
        Pool, "checkout", lambda raw, record, proxy: _connections_out.update({id(record): repr(raw)})
    )
    event.listen(Pool, "checkin", lambda raw, record: _connections_out.pop(id(record), None))
    event.listen(Pool, "invalidate", lambda raw, record, error: _connections_out.pop(id(record), None))
    watch_pools.done = True  # type: ignore[attr-defined]


def _children() -> Iterator[str]:
    for number in _child_numbers():
        try:
            child = psutil.Process(number)
            if child.status() != psutil.STATUS_ZOMBIE or not _reaped(child.pid):
                yield f"child process {child.pid}: {' '.join(child.cmdline())[:120] or child.name()}"
        except psutil.NoSuchProcess:
            continue


def _child_numbers() -> Iterator[int]:
    """Asked of the kernel: psutil would read the status of every process of the machine, at every test."""
    for listed in Path("/proc/self/task").glob("*/children"):
        try:
            yield from map(int, listed.read_text().split())
        except FileNotFoundError:
            continue  # the thread that had them has ended


def _reaped(pid: int) -> bool:
    """A zombie of a dropped Popen is collected; one that nobody waited for is a leak only of a table slot."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # somebody has waited for it meanwhile
        return True


def _threads() -> Iterator[str]:
    for thread in threading.enumerate():
        yield f"thread {thread.name} ({thread.ident})"


def _native_threads() -> dict[int, str]:
    """The name of every thread of this process, by its id."""
    names = {}
    for folder in Path("/proc/self/task").glob("*"):
        try:
            names[int(folder.name)] = (folder / "comm").read_text().strip()
        except OSError:
            continue
    return names


def _listeners() -> Iterator[str]:
    for socket in psutil.Process().net_connections("tcp"):
        if socket.status == psutil.CONN_LISTEN:
            yield f"listening socket {socket.laddr}"


def _connections() -> Iterator[str]:
    for number, name in _connections_out.copy().items():
        yield f"database connection not given back: {name} ({number})"


def _descriptor_targets() -> Iterator[str]:
    for link in Path("/proc/self/fd").glob("*"):
        try:
            yield os.readlink(link)
        except OSError:
            continue


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark
    except psutil.Error:
        return False
