"""granian's supervisor of the http process, fitted into the tree of a service."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import Any

from granian._granian import SocketHolder
from granian.server.mp import MPServer, WorkerProcess

from jobengine.app.signal_event import SignalEvent
from jobengine.app.template import TemplateFork
from jobengine.clock import Clock
from jobengine.crash_loop import CrashLoop
from jobengine.ready_word import ReadyWords


class HttpServer(MPServer):
    """granian's supervisor of one process. The pipe ``stopping`` ends as soon as it is told to stop, or is
    killed.

    ``on_stop`` is called then, by the signal handler. ``ready`` is for the http process, to say by it that it
    is ready (`jobengine.ready_word`).
    """

    def __init__(self, *args: Any, on_stop: Callable[[], None], clock: Clock, **options: Any) -> None:
        super().__init__(*args, **options)
        self.main_loop_interrupt: Any = SignalEvent()
        self._on_stop = on_stop
        self._clock = clock
        self._crashes = CrashLoop()
        self._words = ReadyWords()
        self.ready = self._words.mouth
        self.stopping, self._until_stop = multiprocessing.Pipe(duplex=False)

    def signal_handler_interrupt(self, *args: Any, **options: Any) -> None:
        self._until_stop.close()
        self._on_stop()
        super().signal_handler_interrupt(*args, **options)  # type: ignore[no-untyped-call]

    def startup(self, *args: Any, **options: Any) -> None:
        self.main_loop_interrupt.listen()
        super().startup(*args, **options)  # type: ignore[no-untyped-call]

    def shutdown(self, exit_code: int = 0) -> None:
        """granian exits with 1 if the process has ended before this one could see to it, as it may when a
        whole group was told to stop. Here that is no failure: only who gives up exits with 1."""
        with suppress(SystemExit):
            super().shutdown(exit_code)  # type: ignore[no-untyped-call]
        self.main_loop_interrupt.close()
        if self._crashes.is_over:
            sys.exit(1)

    def _respawn_workers(self, *args: Any, **options: Any) -> None:
        """granian takes any two ends within 5.5 s for a crash loop, as a process that is killed twice makes
        them. The rule is that of the other processes instead, and what granian does then is done here."""
        (ended,) = self.wrks
        self._crashes.note_end(self._words.served_s(ended.inner.pid, self._clock.monotonic_ns()))
        if self._crashes.is_over:
            self.interrupt_signal = True
            self.main_loop_interrupt.set()
            return
        super()._respawn_workers(*args, **options)
        self.respawned_wrks.clear()

    def _spawn_worker(self, *args: Any, **options: Any) -> WorkerProcess:
        """What granian would spawn, or fork from here, is forked from the template."""
        worker = super()._spawn_worker(*args, **options)
        inner: Any = worker.inner
        worker.inner = TemplateFork(target=inner._target, args=inner._args, name="http")
        return worker


def _give(holder: SocketHolder) -> tuple[Any, ...]:
    """granian gives the number of a listening socket, which is another one in a fork of the template."""
    state: Any = holder.__getstate__()
    number, *further = state
    return _take, (DupFd(number), *further)


def _take(descriptor: Any, *further: Any) -> SocketHolder:
    make: Any = SocketHolder  # its type stub knows one argument of three
    held: SocketHolder = make(descriptor.detach(), *further)
    return held


ForkingPickler.register(SocketHolder, _give)
