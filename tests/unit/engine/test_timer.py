"""The timer wakes at a moment, wherever the machine says that it is."""

from __future__ import annotations

from threading import Event

import pytest

from jobengine.clock import SystemClock
from jobengine.engine.timer import SchedulerTimer
from tests.waiting import PATIENCE_S


def test_it_wakes_on_a_machine_whose_time_zone_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> None:
        raise LookupError("TZ names no zone")

    monkeypatch.setattr("apscheduler.triggers.date.get_localzone", look)
    woken = Event()
    with SchedulerTimer(woken.set) as timer:
        timer.wake_at(SystemClock().now())
        assert woken.wait(PATIENCE_S)
