"""The numbered events as Server-Sent Events: replayed from the database, then followed as they come.

``id`` is the number, ``event`` the type, ``data`` the JSON of one event. A client that comes back with
``Last-Event-ID`` gets everything after it; if part of that has been pruned, a ``gap`` event says so first.
Each client holds a thread of the server while it listens; `Seats` caps them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from jobengine.clock import Clock
from jobengine.errors import UnavailableError
from jobengine.history.reader import JobReader
from jobengine.model.query import Node
from jobengine.model.record import EventRecord
from jobengine.rest.api import encode
from jobengine.rest.job_view import event_view
from jobengine.rest.services import Notices

KEEP_ALIVE_S = 5.0
"""Also how long the seat of a client that has gone stays taken: only writing tells that it has."""
LOOK_AGAIN_S = 2.0
RETRY_MS = 2_000
PAGE = 500
RETRY_AFTER_S = 10


class Seats:
    """How many may listen at once. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """How many listen now."""
        return self._taken

    def take(self) -> None:
        """Take a seat. Raises UnavailableError when none is free."""
        with self._lock:
            if self._taken >= self._limit:
                raise UnavailableError(
                    f"all {self._limit} event streams are in use; read /api/events, or try again later",
                    retryAfter=RETRY_AFTER_S,
                )
            self._taken += 1

    def leave(self) -> None:
        """Give the seat back."""
        with self._lock:
            self._taken -= 1


class Seated(Iterator[bytes]):
    """Chunks whose seat is given back once, however they end: also if nobody ever asked for the first."""

    def __init__(self, chunks: Iterator[bytes], seats: Seats) -> None:
        self._chunks = chunks
        self._seats: Seats | None = seats

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """The client has gone."""
        if self._seats is not None:
            self._seats.leave()
            self._seats = None

    def __del__(self) -> None:
        self.close()


class Feed:
    """One client's view of the events, as chunks of text/event-stream. Close it when the client has gone.

    ``disclose`` makes of an event's JSON what this client may see.
    """

    def __init__(
        self,
        reader: JobReader,
        notices: Notices,
        clock: Clock,
        where: Node | None,
        disclose: Callable[[Any], Any],
    ) -> None:
        self._reader = reader
        self._notices = notices
        self._clock = clock
        self._where = where
        self._disclose = disclose

    def follow(self, after: int | None) -> Iterator[bytes]:
        """Everything after the number ``after``, or from now on if None. Ends with the process only.

        "Now" is when this is called, not when the first chunk is asked for: by then the client has its
        answer's head, may have looked at a job, and must hear of all that happens after that look.
        """
        return self._chunks(after, self._reader.newest_event())

    def _chunks(self, after: int | None, newest: int) -> Iterator[bytes]:
        yield b"retry: %d\n\n" % RETRY_MS
        if after is None:
            after = newest
            yield b"id: %d\n: from now on\n\n" % after
        elif gap := self._gap(after, newest):
            yield gap
            after = min(after, newest)
        spoken_ns = self._clock.monotonic_ns()
        while not self._notices.has_ended:
            seen = self._notices.count
            page = self._reader.events_after(after, PAGE, self._where)
            if page.events:
                yield b"".join(self._message(event) for event in page.events)
                spoken_ns = self._clock.monotonic_ns()
            if page.scanned > after:
                after = page.scanned
                continue
            self._notices.wait(seen, LOOK_AGAIN_S)
            if self._clock.monotonic_ns() - spoken_ns >= KEEP_ALIVE_S * 1e9:
                yield b": keep-alive\n\n"
                spoken_ns = self._clock.monotonic_ns()

    def _message(self, event: EventRecord) -> bytes:
        data = encode(self._disclose(event_view(event)))
        return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.sequence, event.type.encode(), data)

    def _gap(self, after: int, newest: int) -> bytes | None:
        """What to say when events after ``after`` can't be replayed: pruned, or of another database."""
        oldest = self._reader.oldest_event()
        if after > newest:
            detail = f"events end at {newest}; {after} was never reached here"
        elif oldest > after + 1 or (oldest == 0 and newest > after):
            detail = f"events {after + 1} to {(oldest or newest + 1) - 1} are not kept any more"
        else:
            return None
        return b"event: gap\ndata: %s\n\n" % encode({"after": after, "oldest": oldest, "detail": detail})
