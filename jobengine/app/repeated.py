"""A thread that does one thing again and again until its end, whatever goes wrong on the way.

What it does, and that a step that failed can be done again, is the business of who gives the step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from jobengine.clock import Clock
from jobengine.errors import UnavailableError


class Repeated:
    """Calls ``step`` from `start` to `end`; it returns the seconds until it is to be called again.

    A step that fails is tried again every ``retry_s``. The log is told of it under the name ``failed``, once
    until a step succeeds or another fault shows: a warning where something is away (UnavailableError), else
    an error with its traceback. ``name`` is for the thread and for metrics.
    """

    def __init__(
        self, name: str, step: Callable[[], float], failed: str, retry_s: float, clock: Clock
    ) -> None:
        self.name = name
        self._step = step
        self._failed = failed
        self._retry_s = retry_s
        self._clock = clock
        self._failures = 0
        self._fault: str | None = None
        self._due_ns = 0
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger("tasks")

    @property
    def failures(self) -> int:
        """How many steps have failed since the start."""
        return self._failures

    @property
    def is_ending(self) -> bool:
        """Whether `end` waits, so that a long step should come to its end."""
        return self._ending.is_set()

    def overdue_s(self) -> float:
        """How long the next step has been due without one that succeeded: about 0 while all is well.

        It grows while steps fail, and while one doesn't come to its end.
        """
        if self._thread is None:
            return 0.0
        return max(0.0, (self._clock.monotonic_ns() - self._due_ns) / 1e9)

    def start(self, pause_s: float = 0.0) -> None:
        """Begin, with the first step after a pause; returns at once. Called once."""
        self._due_in(pause_s)
        self._thread = threading.Thread(target=self._run, args=(pause_s,), name=self.name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Do the next step at once, and another one if one is under way. Returns at once."""
        self._wake.set()

    def end(self, timeout_s: float) -> bool:
        """Stop after the step under way; whether it came to its end within ``timeout_s``, which this blocks
        at most. Idempotent."""
        self._ending.set()
        self._wake.set()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self, pause_s: float) -> None:
        while True:
            self._wake.wait(pause_s)
            self._wake.clear()
            if self._ending.is_set():
                return
            pause_s = self._try()

    def _try(self) -> float:
        try:
            pause_s = self._step()
        except Exception as error:
            self._failures += 1
            self._tell(error)
            return self._retry_s
        self._fault = None
        self._due_in(pause_s)
        return pause_s

    def _tell(self, error: Exception) -> None:
        fault = f"{type(error).__name__}: {error}"
        if fault == self._fault:
            return
        self._fault = fault
        if isinstance(error, UnavailableError):
            self._log.warning(self._failed, detail=error.detail)
        else:
            self._log.error(self._failed, detail=fault, exc_info=error)

    def _due_in(self, pause_s: float) -> None:
        self._due_ns = self._clock.monotonic_ns() + int(pause_s * 1e9)
