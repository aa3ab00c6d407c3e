"""Keeps a process of the service running, and ends it when the service stops.

One thread owns the process: it alone waits for its end, starts it again and ends it. Two threads that wait
for one child take its end from each other, and one of them goes on believing that it lives.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import structlog

from jobengine.clock import Clock
from jobengine.crash_loop import CrashLoop
from jobengine.ready_word import ReadyWords

TOLD_TOO_S = 2.0
"""How long after an orderly end of the process it may show that the whole service was told to stop."""
_ORDERLY = (0, -signal.SIGTERM)


class ProcessKeeper:
    """Runs what ``new_process`` makes from `start` to `stop`; both are called once, by the same thread.

    ``name`` is for the log. What is given to ``new_process`` is for the process, to say by it that it is
    ready (`jobengine.ready_word`). stop_timeout_s: how long the process may take to end after SIGTERM before
    it is killed. ``give_up`` is called, in the keeper's thread, when the process ended too soon too often
    (`jobengine.crash_loop`), or can't be started.
    """

    def __init__(
        self,
        name: str,
        new_process: Callable[[Connection], BaseProcess],
        stop_timeout_s: float,
        give_up: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.has_given_up = False
        self._name = name
        self._new_process = new_process
        self._stop_timeout_s = stop_timeout_s
        self._give_up = give_up
        self._clock = clock
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._words = ReadyWords()
        self._expects_end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"{name}-keeper", daemon=True)
        self._log = structlog.get_logger("service")

    def start(self) -> None:
        """Start the process; returns at once."""
        self._thread.start()

    def expect_end(self) -> None:
        """The service is about to stop: whoever told it may have told the process as well, as a signal to all
        processes of a group does. May be called by a signal handler, in the thread that calls `stop`."""
        self._expects_end.set()

    def stop(self) -> None:
        """End the process; blocks until it has ended."""
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)
        self._words.close()

    def _keep(self) -> None:
        """Run it again and again. The kernel ends it with this thread, should that ever fail.

        The template may be a child of this thread (`jobengine.app.template`), so it stays until `stop`.
        """
        crashes = CrashLoop()
        try:
            while not crashes.is_over:
                process = self._new_process(self._words.mouth)
                process.start()
                if self._stop in _wait((self._stop, process.sentinel), None):
                    self._end(process)
                    return
                process.join()
                if process.exitcode in _ORDERLY and self._expects_end.wait(TOLD_TOO_S):
                    _wait((self._stop,), None)
                    return
                self._log.error(f"{self._name}.ended", exit_code=process.exitcode)
                crashes.note_end(self._words.served_s(process.pid or 0, self._clock.monotonic_ns()))
        except (OSError, EOFError) as error:
            self._log.error(f"{self._name}.not_started", detail=str(error))
        self.has_given_up = True
        self._give_up()

    def _end(self, process: BaseProcess) -> None:
        process.terminate()
        if not _wait((process.sentinel,), self._stop_timeout_s):
            self._log.error(f"{self._name}.killed")
            process.kill()
        process.join()


def _wait(descriptors: tuple[int, ...], timeout_s: float | None) -> list[int]:
    """Those that are readable; blocks until one is, at most ``timeout_s`` (None: for ever)."""
    ready, _, _ = select.select(descriptors, (), (), timeout_s)
    return ready
