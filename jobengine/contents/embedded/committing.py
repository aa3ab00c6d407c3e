"""Commits of all threads, written together: who comes first writes for all who wait.

There is no thread for it. A caller that finds nobody at work takes the lead: it does what is queued, its own
writes among them, with one write and one sync, and hands the lead to the first that has come meanwhile. A
caller alone never waits; where there are several, they are gathered for the commit interval.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Final

import lmdb

from jobengine.clock import Clock
from jobengine.contents.embedded.appending import append
from jobengine.contents.embedded.bell import ring
from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.deciding import Deciding
from jobengine.contents.embedded.documents import Documents
from jobengine.contents.embedded.evicting import EvictStep, do_evict_step
from jobengine.contents.embedded.expiring import ExpireStep, do_expire_step
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.log import Log
from jobengine.contents.embedded.moving import MoveStep, SealSegment, do_move_step, do_seal
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.part import Part, Pending
from jobengine.contents.embedded.reading import LogReader
from jobengine.contents.embedded.requests import Request
from jobengine.contents.embedded.small_rows import SmallRows
from jobengine.contents.embedded.transaction import Transaction
from jobengine.contents.embedded.write_turn import WriteTurn
from jobengine.contents.refusals import store_closed, store_full, stream_gone
from jobengine.errors import DiskFull, JobEngineError, UnavailableError

_MOMENTS: Final = 2
"""So many moments in which a caller that was answered comes again are in one interval."""


class Committer:
    """Does requests. Safe to share between threads; processes take turns."""

    def __init__(
        self,
        index: Index,
        log: Log,
        reader: LogReader,
        turn: WriteTurn,
        options: EmbeddedOptions,
        clock: Clock,
    ) -> None:
        self._index = index
        self._log = log
        self._reader = reader
        self._turn = turn
        self._documents = Documents(index)
        self._options = options
        self._clock = clock
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._queue: list[Request] = []
        self._queued_bytes = 0
        self._is_led = False
        self._expected = 0
        self._last_start_ns = 0
        self._last_end_ns = 0
        self._fault = ""
        self._last: tuple[int, SmallRows] | None = None
        """The number of this process's last commit to the index, and the rows it left."""

    def do(self, request: Request) -> list[Any]:
        """What each write did, once it is on disk.

        Blocks for the interval and the disk, at most twice the timeout. Raises UnavailableError after a
        failed write of anybody (until the store is opened anew) or a timeout, DiskFull, and what a write
        was refused for.
        """
        if self._enqueue(request):
            self._lead(request)
        else:
            self._follow(request)
        if request.fault is not None:
            raise request.fault
        return request.outcomes

    def close(self) -> None:
        """Refuse what comes from now on, and wait for what is under way."""
        with self._lock:
            self._fault = self._fault or store_closed().detail
            self._news.wait_for(lambda: not self._is_led, self._options.timeout_s)
        self._log.spare.close()

    def _enqueue(self, request: Request) -> bool:
        """Queue a request when there is room; whether it is its caller who must lead."""
        with self._lock:
            has_room = self._news.wait_for(
                lambda: self._fault or self._has_room(request), self._options.timeout_s
            )
            self._must_work()
            if not has_room:
                raise UnavailableError(
                    f"the disk took nothing for {self._options.timeout_s:g} s; nothing was accepted"
                )
            self._queue.append(request)
            self._queued_bytes += request.log_bytes
            if self._is_much_queued() or len(self._queue) == self._expected:
                self._news.notify_all()
            leads, self._is_led = not self._is_led, True
            return leads

    def _has_room(self, request: Request) -> bool:
        return not self._queue or self._queued_bytes + request.log_bytes <= self._options.queue_bytes

    def _must_work(self) -> None:
        if self._fault:
            raise UnavailableError(self._fault)

    def _follow(self, request: Request) -> None:
        if not request.turn.wait(self._options.timeout_s):
            with self._lock:
                if request in self._queue and not request.is_leader:
                    self._queue.remove(request)
                    self._queued_bytes -= request.log_bytes
                    raise UnavailableError(
                        f"the disk took nothing for {self._options.timeout_s:g} s; nothing was accepted"
                    )
            if not request.turn.wait(self._options.timeout_s):
                raise UnavailableError("the disk doesn't answer; it is unknown whether the commit was done")
        if request.is_leader:
            self._lead(request)

    def _lead(self, request: Request) -> None:
        batch: list[Request] = []
        try:
            batch = self._gather()
            self._do_all(batch)
        except BaseException as fault:
            _refuse(batch or [request], UnavailableError(f"the commit was broken off: {fault!r}"))
            raise
        finally:
            self._hand_over(batch, request)

    def _gather(self) -> list[Request]:
        """Everything that is queued, after waiting for more where there were several before.

        Those who were answered last come again in a moment, and those who were queued then are here. A slow
        group ends after its interval, and who is not waited for then waits for the next group and its own.
        """
        interval_ns = int(self._options.interval_ms * 1e6)
        with self._lock:
            if self._expected > 1 or len(self._queue) > 1:
                self._wait_until(self._last_start_ns + interval_ns, self._is_much_queued)
                self._wait_until(
                    self._last_end_ns + interval_ns // _MOMENTS,
                    lambda: len(self._queue) >= self._expected or self._is_much_queued(),
                )
            batch, self._queue = self._queue, []
            self._queued_bytes = 0
            self._last_start_ns = self._clock.monotonic_ns()
            self._news.notify_all()
            return batch

    def _wait_until(self, moment_ns: int, is_enough: Callable[[], bool]) -> None:
        """Let others come until a moment, or until they are enough. The lock is held."""
        self._news.wait_for(is_enough, max(0, moment_ns - self._clock.monotonic_ns()) / 1e9)

    def _is_much_queued(self) -> bool:
        return self._queued_bytes >= self._options.group_bytes

    def _hand_over(self, batch: Sequence[Request], leader: Request) -> None:
        with self._lock:
            self._is_led = bool(self._queue)
            self._expected = len(batch) + len(self._queue)
            self._last_end_ns = self._clock.monotonic_ns()
            if self._queue:
                self._queue[0].is_leader = True
                self._queue[0].turn.set()
            self._news.notify_all()
        for request in batch:
            if request is not leader:
                request.is_leader = False
                request.turn.set()

    def _do_all(self, batch: Sequence[Request]) -> None:
        try:
            self._must_work()
            with self._turn.taken():
                self._do_in_turn(batch)
        except UnavailableError as fault:
            _refuse(batch, fault)

    def _do_in_turn(self, batch: Sequence[Request]) -> None:
        try:
            transaction = self._index.begin()
        except lmdb.Error as fault:
            _refuse(batch, UnavailableError(f"the index can't be written: {fault}"))
            return
        parts: list[Part] = []
        is_done = False
        try:
            rows = self._write(batch, transaction, parts)
            if all(request.fault is not None for request in batch):
                transaction.abort()  # nothing was done, so readers needn't look again
            else:
                number = transaction.id()
                transaction.commit()
                is_done = True
                self._last = number, rows
                ring(self._index.path)
        except DiskFull as fault:
            transaction.abort()
            self._take_back(parts)
            self._log.segments.close()
            _refuse(batch, fault)
        except (OSError, lmdb.Error) as fault:
            transaction.abort()
            self._poison(fault)
            _refuse(batch, UnavailableError(self._fault))
        except BaseException as fault:
            transaction.abort()
            if any(part.is_written for part in parts):
                self._poison(fault)
            raise
        finally:
            self._log.spare.settle(is_done)

    def _write(self, batch: Sequence[Request], transaction: Transaction, parts: list[Part]) -> SmallRows:
        """Do the writes of a batch; the rows that are stored once the transaction is committed."""
        last, self._last = self._last, None
        is_next = last is not None and last[0] + 1 == transaction.id()
        changes = Changes(self._index, transaction, last[1] if last and is_next else None)
        acknowledged = changes.state.group
        # What is laid out is found again only by writes that look at what is stored.
        pending: Pending | None = None if all(request.is_sure for request in batch) else {}
        ordered = sorted(batch, key=lambda request: request.lifetime)
        for lifetime, several in groupby(ordered, key=lambda request: request.lifetime):
            requests = list(several)
            expected_bytes = sum(request.log_bytes for request in requests)
            part = self._log.begin(changes, lifetime, expected_bytes, pending)
            parts.append(part)
            deciding = Deciding(changes, part, self._documents, self._reader)
            for request in requests:
                self._decide(request, deciding)
            if part.is_empty:
                changes.state.group -= 1
                parts.pop()
            else:
                self._log.lay(changes, part, acknowledged)
        self._log.write(parts)
        changes.flush()  # while the disk works
        self._log.sync(parts)
        return changes.rows

    def _decide(self, request: Request, deciding: Deciding) -> None:
        """Do the writes of one request; if one is refused, only this request is."""
        gone = [number for number in request.streams if deciding.changes.stream(number) is None]
        if gone:
            request.fault = stream_gone(gone)
            return
        if request.brings_payload and deciding.changes.state.is_full:
            request.fault = store_full()
            return
        if request.is_sure:
            self._do_each(request, deciding)
            return
        mark = deciding.part.mark()
        try:
            with deciding.changes.nested():
                self._do_each(request, deciding)
        except DiskFull:
            raise
        except JobEngineError as fault:
            deciding.part.back_to(mark)
            # Without the frames of this thread, which hold buffers of others.
            request.fault = fault.with_traceback(None)

    def _do_each(self, request: Request, deciding: Deciding) -> None:
        for write in request.writes:
            if isinstance(write, list):
                request.outcomes += append(deciding.changes, deciding.part, write)
            else:
                request.outcomes.append(self._one(write, deciding))

    def _one(self, write: Any, deciding: Deciding) -> Any:
        if isinstance(write, ExpireStep):
            return do_expire_step(write, deciding, self._index)
        if isinstance(write, EvictStep):
            return do_evict_step(write, deciding, self._index)
        if isinstance(write, MoveStep):
            return do_move_step(write, deciding, self._index, self._log.segments, self._log.salt)
        if isinstance(write, SealSegment):
            return do_seal(write, deciding)
        return deciding.do(write)

    def _take_back(self, parts: Sequence[Part]) -> None:
        try:
            self._log.take_back(parts)
        except OSError as fault:
            self._poison(fault)

    def _poison(self, fault: BaseException) -> None:
        """After a failed write or sync nobody knows what is on disk: only opening anew can tell."""
        with self._lock:
            self._fault = (
                f"the contents store failed to write ({fault!r}) and takes nothing until it is opened anew"
            )


def _refuse(batch: Sequence[Request], fault: JobEngineError) -> None:
    for request in batch:
        request.fault = request.fault or fault
