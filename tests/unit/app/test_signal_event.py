"""The main thread hears of a signal, and of what is set, whoever takes the one and sets the other."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from jobengine.app.signal_event import SignalEvent
from tests.waiting import PATIENCE_S

FULL = 100_000


@pytest.fixture
def event() -> Iterator[SignalEvent]:
    event = SignalEvent()
    event.listen()
    yield event
    event.close()


@pytest.fixture
def handle() -> Iterator[Callable[[Callable[[], None]], None]]:
    before = signal.getsignal(signal.SIGUSR1)

    def install(handler: Callable[[], None]) -> None:
        def call(_number: int, _frame: FrameType | None) -> None:
            handler()

        signal.signal(signal.SIGUSR1, call)

    yield install
    signal.signal(signal.SIGUSR1, before)


def beside(work: Callable[[], object]) -> threading.Timer:
    """Do it in another thread, most likely while this one waits."""
    timer = threading.Timer(0.1, work)
    timer.start()
    return timer


def test_a_signal_that_another_thread_takes_is_handled_by_the_one_that_waits(
    event: SignalEvent, handle: Callable[[Callable[[], None]], None]
) -> None:
    heard: list[int] = []

    def hear() -> None:
        heard.append(threading.get_ident())
        event.set()

    handle(hear)
    other = beside(lambda: signal.pthread_kill(threading.get_ident(), signal.SIGUSR1))
    event.wait()
    other.join(PATIENCE_S)
    assert heard == [threading.get_ident()]


def test_a_signal_that_sets_nothing_ends_no_wait(
    event: SignalEvent, handle: Callable[[Callable[[], None]], None]
) -> None:
    told: list[str] = []
    handle(lambda: told.append("signal"))

    def tell() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        while not told:
            threading.Event().wait(0.01)
        told.append("set")
        event.set()

    other = beside(tell)
    event.wait()
    other.join(PATIENCE_S)
    assert told == ["signal", "set"]


def test_who_waits_for_what_is_set_goes_on_until_it_is_cleared(event: SignalEvent) -> None:
    event.set()
    event.wait()
    event.wait()
    event.clear()
    told: list[str] = []

    def tell() -> None:
        told.append("set")
        event.set()

    other = beside(tell)
    event.wait()
    assert told == ["set"]
    other.join(PATIENCE_S)


def test_setting_never_blocks(event: SignalEvent) -> None:
    for _ in range(FULL):
        event.set()
    event.wait()
    event.close()
    event.set()
    event.close()
