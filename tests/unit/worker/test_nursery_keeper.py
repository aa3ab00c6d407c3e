"""A nursery that ends is followed by another, at once or ever later, and never for ever at once.

What was asked of one that ended before it could be asked is asked of the next.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobengine.crash_loop import LIMIT, QUICK_S
from jobengine.messaging.worker_messages import MAX_FORK_BYTES, Keep, WorkerSurroundings, fork_decoder
from jobengine.ports.work import WorkerProcess
from jobengine.testing import ManualClock
from jobengine.worker import nursery_keeper
from jobengine.worker.launcher import NurseryLauncher
from jobengine.worker.nursery_keeper import NurseryKeeper
from jobengine.worker.nursery_process import NurseryProcess, start_nursery

KEEP = Keep(0, "", "", "", "")


def _start_failing(keep: Keep) -> NurseryProcess:
    """What could not begin: a process that ends at once."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    return NurseryProcess(ours, os.posix_spawn("/bin/false", ["false"], {}))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keeper(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[NurseryKeeper]:
    monkeypatch.setattr(nursery_keeper, "start_nursery", _start_failing)
    made = NurseryKeeper(KEEP, clock)
    yield made
    made.end(at_once=True)


def test_one_that_can_not_begin_is_started_ever_more_seldom(
    keeper: NurseryKeeper, clock: ManualClock
) -> None:
    for _ in range(LIMIT - 1):
        keeper.note_end()
        assert keeper.start_next() is not None
    for pause_s in (1, 2, 4):
        keeper.note_end()
        clock.advance(timedelta(seconds=pause_s - 0.1))
        assert (keeper.start_next(), keeper.channel) == (None, None)
        clock.advance(timedelta(seconds=0.1))
        assert keeper.start_next() is keeper.channel is not None
    assert keeper.failures == LIMIT + 2


def test_one_that_was_ready_for_long_is_followed_at_once(keeper: NurseryKeeper, clock: ManualClock) -> None:
    for _ in range(LIMIT + 2):
        keeper.note_ready()
        clock.advance(timedelta(seconds=QUICK_S))
        keeper.note_end()
        assert keeper.start_next() is not None


def test_what_none_of_those_that_ended_could_be_asked_is_asked_of_the_next(
    keeper: NurseryKeeper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    launcher = NurseryLauncher(WorkerSurroundings("", "", (), (), 0.0), keeper)
    launcher.launch(WorkerProcess("job", tmp_path / "spool", tmp_path / "log"))
    assert keeper.failures == 1

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sound = NurseryProcess(ours, os.posix_spawn("/bin/true", ["true"], {}))
    monkeypatch.setattr(nursery_keeper, "start_nursery", lambda keep: sound)
    launcher.collect(launcher.filenos())

    with theirs:
        assert fork_decoder.decode(theirs.recv(MAX_FORK_BYTES, socket.MSG_DONTWAIT)).job_id == "job"


def test_one_that_ends_before_it_was_told_anything_has_ended_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spawn = os.posix_spawn

    def spawn_and_wait(*_: Any, **options: Any) -> int:
        process_id = spawn("/bin/false", ["false"], {}, **options)
        os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT)
        return process_id

    monkeypatch.setattr(os, "posix_spawn", spawn_and_wait)
    assert start_nursery(KEEP).end() == 1
