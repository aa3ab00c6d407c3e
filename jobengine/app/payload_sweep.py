"""Lets go what is past its time or limits or beyond the capacity: one thread of the engine process.

A store that can't be reached is tried again; the engine never waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from jobengine.app.left_streams import LeftStreams
from jobengine.app.repeated import Repeated
from jobengine.clock import Clock, to_us
from jobengine.contents.repeats import Repeats
from jobengine.ports.contents import Capacity, ContentStore, Expiry

FORGET_EVERY_S = 3600.0
STEPS = 1_000
"""Of one sweep at most; what is left waits for the next."""
END_TIMEOUT_S = 10.0


class PayloadSweep:
    """Sweeps the store that ``open_store`` opens, every ``interval_s``, from `start` to `end`.

    ``capacity`` is that of the store. Requests under an ``Idempotency-Key`` are remembered for
    ``remembered``.
    """

    def __init__(
        self,
        open_store: Callable[[], ContentStore],
        clock: Clock,
        interval_s: float,
        remembered: timedelta,
        capacity: Capacity,
    ) -> None:
        self._open_store = open_store
        self._clock = clock
        self._interval_s = interval_s
        self._remembered = remembered
        self._capacity = capacity
        self._is_full = False
        self._left = LeftStreams(clock)
        self._store: ContentStore | None = None
        self._forget_at_ns = clock.monotonic_ns()
        self._task = Repeated("payload-sweep", self._step, "contents.not_swept", interval_s, clock)
        self._log = structlog.get_logger("contents")

    def start(self) -> None:
        """Begin; returns at once."""
        self._task.start()

    def end_streams(self, job_id: str, urls: Sequence[str]) -> None:
        """End the streams that a job has left open. Returns at once; for one thread."""
        self._left.add(job_id, urls)
        self._task.wake()

    def end(self) -> None:
        """Stop after the step that is going on, and close the store; blocks for at most ten seconds."""
        if self._task.end(END_TIMEOUT_S):
            self._close()

    def _step(self) -> float:
        """End streams that were left, let go, forget; a store that failed is opened anew next time."""
        if self._store is None:
            self._store = self._open_store()
        try:
            self._left.end_all(self._store)
            self._sweep(self._store)
            self._forget(self._store)
        except Exception:
            self._close()
            raise
        return self._interval_s

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _forget(self, store: ContentStore) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._forget_at_ns:
            Repeats(store, self._clock).forget(self._clock.now() - self._remembered)
            self._forget_at_ns = now_ns + int(FORGET_EVERY_S * 1e9)

    def _sweep(self, store: ContentStore) -> None:
        payloads = payload_bytes = freed_bytes = elements = 0
        step = Expiry(0, 0, 0)
        for _ in range(STEPS):
            step = store.expire(to_us(self._clock.now()), self._capacity)
            payloads += step.payloads
            payload_bytes += step.payload_bytes
            freed_bytes += step.freed_bytes
            elements += step.elements
            if self._task.is_ending or step.did_nothing:
                break
        if payloads or freed_bytes or elements:
            self._log.info(
                "contents.swept",
                payloads=payloads,
                payload_bytes=payload_bytes,
                elements=elements,
                freed_bytes=freed_bytes,
            )
        self._tell_fullness(step.is_full)

    def _tell_fullness(self, is_full: bool) -> None:
        if is_full and not self._is_full:
            self._log.warning("contents.full", capacity_bytes=self._capacity.payload_bytes)
        elif self._is_full and not is_full:
            self._log.info("contents.has_room")
        self._is_full = is_full
