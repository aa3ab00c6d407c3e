"""A nursery that ends is followed by another, at once or ever later, and never for ever at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest

from jobengine.crash_loop import LIMIT, QUICK_S
from jobengine.messaging.worker_messages import Keep
from jobengine.testing import ManualClock
from jobengine.worker import nursery_keeper
from jobengine.worker.nursery_keeper import NurseryKeeper
from jobengine.worker.nursery_process import NurseryProcess


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
    made = NurseryKeeper(Keep(0, "", "", "", ""), clock)
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
