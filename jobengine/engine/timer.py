"""APScheduler as the timer: it wakes the engine and holds no truth.

The due table in the database says what is due; this says when to look. One date job for the next due time,
interval jobs for what is done once in a while. Nothing is persisted here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

_NEXT_DUE = "next-due"


class SchedulerTimer:
    """Calls ``wake`` from its own thread, which must do no more than wake another. A context manager."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._asked: datetime | None = None
        self._scheduler = BackgroundScheduler(executors={"default": DebugExecutor()}, timezone=UTC)

    def __enter__(self) -> SchedulerTimer:
        self._scheduler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scheduler.shutdown(wait=True)

    def wake_at(self, moment: datetime | None) -> None:
        """Wake once at ``moment``, in place of what was asked before; None: not needed."""
        if moment == self._asked:
            return
        self._asked = moment
        if moment is None:
            if self._scheduler.get_job(_NEXT_DUE):
                self._scheduler.remove_job(_NEXT_DUE)
            return
        once = DateTrigger(moment, UTC)  # without a zone it asks for the machine's, which may be unknown
        self._scheduler.add_job(
            self._wake, once, id=_NEXT_DUE, replace_existing=True, misfire_grace_time=None
        )

    def wake_every(self, period_s: float) -> None:
        """Wake again and again, for what is done once in a while."""
        self._scheduler.add_job(
            self._wake, "interval", seconds=period_s, misfire_grace_time=None, coalesce=True
        )
