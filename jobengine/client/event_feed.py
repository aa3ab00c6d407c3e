"""The numbered event feed of a service (Server-Sent Events), followed across broken connections.

After a break the feed goes on after the last number that was seen, so nothing is lost and nothing comes
twice. A deadline ends the feed to the moment: a timer shuts the socket down, because the keep-alive lines
of the service would otherwise keep a blocked read waiting.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError

from jobengine.client.deadline import Deadline
from jobengine.client.http import Http
from jobengine.errors import UnavailableError

GAP = "gap"
PLACE = "/api/events/stream"
SILENCE_S = 45.0
PATIENCE_S = 60.0
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered change; ``time`` is text as in every document, ``data`` depends on the type.

    The type ``gap`` (number 0) tells that events which were asked for are not kept any more.
    """

    sequence: int
    type: str
    time: str = ""
    job_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The event as JSON."""
        members = {"sequence": self.sequence, "time": self.time, "type": self.type, "jobId": self.job_id}
        return members | {"data": self.data}


class EventFeed:
    """Iterate with `follow`; ``last_event_id`` is the number of the last event seen."""

    def __init__(
        self,
        http: Http,
        filter: str | None = None,
        last_event_id: int | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        self.last_event_id = last_event_id
        self._http = http
        self._params = {"filter": filter} if filter else {}
        self._deadline = deadline or Deadline(None)

    def follow(self) -> Iterator[Event | None]:
        """Every event in order, and None on each (re)connection, when what was known may be out of date.

        Ends at the deadline. Blocks in between. Raises UnavailableError when the service has been away for
        `PATIENCE_S` or was never there, and whatever the service refuses the feed with.
        """
        delay_s, patience, was_connected = _FIRST_DELAY_S, Deadline(PATIENCE_S), False
        while not self._deadline.is_over():
            try:
                with self._connected() as source:
                    delay_s, patience, was_connected = _FIRST_DELAY_S, Deadline(PATIENCE_S), True
                    yield None
                    yield from self._events(source)
                failure: Exception = UnavailableError("the service closed the event feed")
            except (httpx.TransportError, SSEError) as error:
                failure = self._http.unavailable(error)
            except UnavailableError as error:
                failure = error
                delay_s = max(delay_s, float(error.facts.get("retry_after_s", 0)))
            if self._deadline.is_over():
                return
            if patience.is_over() or not (was_connected or _is_busy(failure)):
                raise failure
            self._http.pause(_shorter(delay_s, self._deadline.left_s))
            delay_s = min(delay_s * 2, _LONGEST_DELAY_S)

    @contextmanager
    def _connected(self) -> Iterator[EventSource]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self.last_event_id is not None:
            headers["Last-Event-ID"] = str(self.last_event_id)
        with (
            self._http.streaming(
                PLACE, params=self._params, headers=headers, silence_s=SILENCE_S
            ) as response,
            _shut_down_after(response, self._deadline.left_s),
        ):
            yield EventSource(response)

    def _events(self, source: EventSource) -> Iterator[Event]:
        for message in source.iter_sse():
            sequence = int(message.id) if message.id.isdigit() else None
            is_news = (
                message.event == GAP
                or sequence is None
                or self.last_event_id is None
                or sequence > self.last_event_id
            )
            if message.event == GAP:
                self.last_event_id = None
            elif sequence is not None and is_news:
                self.last_event_id = sequence
            if message.data and is_news:
                yield _event(message)


@contextmanager
def _shut_down_after(response: httpx.Response, seconds: float | None) -> Iterator[None]:
    connection = response.extensions["network_stream"].get_extra_info("socket")
    if seconds is None or connection is None:
        yield
        return
    timer = threading.Timer(seconds, _shut_down, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed already: there is nothing left to end


def _event(message: ServerSentEvent) -> Event:
    body = json.loads(message.data)
    if message.event == GAP:
        return Event(0, GAP, data=body)
    return Event(body["sequence"], body["type"], body["time"], body["jobId"], body["data"])


def _is_busy(failure: Exception) -> bool:
    return isinstance(failure, UnavailableError) and "retry_after_s" in failure.facts


def _shorter(delay_s: float, left_s: float | None) -> float:
    return delay_s if left_s is None else min(delay_s, left_s)
