"""Keeps an engine's nursery there: another one is started when it ends, ever later if it can't begin."""

from __future__ import annotations

import socket

import structlog

from jobengine.clock import Clock
from jobengine.crash_loop import CrashLoop
from jobengine.messaging.worker_messages import Keep
from jobengine.worker.nursery_process import NurseryProcess, start_nursery


class NurseryKeeper:
    """One nursery at a time, or none for a while. For one thread, which lives as long as its process.

    ``keep``: what a nursery keeps ready. ``nursery``: one that was told so already, to begin with.
    """

    def __init__(self, keep: Keep, clock: Clock, nursery: NurseryProcess | None = None) -> None:
        self.failures = 0
        """How often one has ended by itself."""
        self._keep = keep
        self._clock = clock
        self._crashes = CrashLoop()
        self._nursery: NurseryProcess | None = nursery or start_nursery(keep)
        self._ready_ns: int | None = None
        self._not_before_ns = 0
        self._log = structlog.get_logger("launcher")

    @property
    def channel(self) -> socket.socket | None:
        """The socket of messages to and from it; None while there is none."""
        return None if self._nursery is None else self._nursery.channel

    def note_ready(self) -> None:
        """It has said that it forks what it is asked for."""
        self._ready_ns = self._clock.monotonic_ns()

    def note_end(self) -> None:
        """It has ended, as its channel shows. Blocks for the rest of its end."""
        nursery, self._nursery = self._nursery, None
        if nursery is None:
            return
        exit_code = nursery.end()
        now_ns = self._clock.monotonic_ns()
        self._crashes.note_end(None if self._ready_ns is None else (now_ns - self._ready_ns) / 1e9)
        self._ready_ns = None
        self.failures += 1
        pause_s = self._crashes.pause_s
        self._not_before_ns = now_ns + int(pause_s * 1e9)
        self._log.warning("nursery.ended", exit_code=exit_code, pause_s=pause_s)

    def start_next(self) -> socket.socket | None:
        """Start one if there is none and its time has come; the channel of one that was started."""
        if self._nursery is not None or self._clock.monotonic_ns() < self._not_before_ns:
            return None
        self._nursery = start_nursery(self._keep)
        return self._nursery.channel

    def end(self, at_once: bool) -> None:
        """End it, see `NurseryProcess.end`; blocks."""
        if self._nursery is not None:
            self._nursery.end(at_once)
