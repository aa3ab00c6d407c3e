"""A client whose requests, so far, were all plain GETs of payloads."""

from __future__ import annotations

import os
import socket

from jobengine.ids import new_id
from jobengine.proxy.asking import Asking, Heard
from jobengine.proxy.heads import END, ToldHead, is_plain_get
from jobengine.proxy.kept import Answer
from jobengine.proxy.poller import READABLE, WRITABLE
from jobengine.proxy.relay import Relay
from jobengine.proxy.shared import Shared

HEAD_BYTES = 8 << 10
IDLE_NS = 30_000_000_000
"""How long a client may be silent, or take nothing of an answer."""


class Connection:
    """Waits for a request, asks the http process for the answer, or sends one.

    As soon as a request is not plain, not whole, or its answer not in a file, a `Relay` takes over.
    """

    def __init__(self, client: socket.socket, shared: Shared) -> None:
        """``client`` is connected and does not block; it is this one's from now on."""
        self._client = client
        self._shared = shared
        self._asking = Asking(shared, Heard(self._on_told, self._on_given, self.close))
        self._asked = b""
        self._unread = b""
        """Requests after the one that is being answered."""
        self._head = b""
        self._answer: Answer | None = None
        self._at = 0
        self._active_ns = shared.now_ns
        shared.connections.add(self)
        shared.poller.watch(client.fileno(), READABLE, self._on_client)

    def look_after(self, now_ns: int, is_stopping: bool) -> None:
        """End it if nothing has moved for long, or when nothing is under way and the service stops."""
        if self._asking.is_under_way:
            return
        if (is_stopping and self._answer is None) or now_ns - self._active_ns > IDLE_NS:
            self.close()

    def close(self) -> None:
        """End it at once."""
        self._asking.close()
        if self._client.fileno() >= 0:
            self._shared.poller.forget(self._client.fileno())
            self._client.close()
        self._shared.connections.discard(self)

    def _on_client(self, events: int) -> None:
        self._active_ns = self._shared.now_ns
        try:
            if self._answer is not None:
                if self._send(self._answer):
                    self._take(self._unread)
                return
            data = self._client.recv(HEAD_BYTES)
            if data:
                self._take(data)
            else:
                self.close()
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def _take(self, data: bytes) -> None:
        """Answer requests in turn until one has to wait. Raises OSError of the client."""
        kept, now_ns = self._shared.kept, self._shared.now_ns
        while data:
            end = data.find(END) + len(END)
            head, rest = (data, b"") if end == len(data) else (data[:end], data[end:])
            answer = kept.get(head, now_ns)
            if answer is not None:
                self._shared.count()
                if not self._begin(answer, b"%b%b%b" % (answer.before, new_id().encode(), answer.behind)):
                    self._unread = rest
                    return
            elif end >= len(END) and is_plain_get(head):
                self._asked, self._unread = head, rest
                self._shared.poller.watch(self._client.fileno(), 0, self._on_client)
                self._asking.ask(head)
                return
            else:
                self._hand_over(data)
                return
            data = rest
        self._shared.poller.watch(self._client.fileno(), READABLE, self._on_client)
        if self._shared.is_stopping:
            self.close()

    def _begin(self, answer: Answer, head: bytes) -> bool:
        """Send an answer; whether all of it is sent. Raises OSError."""
        self._answer, self._head, self._at = answer, head, answer.begin
        if self._send(answer):
            return True
        self._shared.poller.watch(self._client.fileno(), WRITABLE, self._on_client)
        return False

    def _send(self, answer: Answer) -> bool:
        """Send a part of what is left; whether that was all. Raises OSError."""
        try:
            if self._head:
                flags = socket.MSG_MORE if answer.end > answer.begin else 0
                self._head = self._head[self._client.send(self._head, flags) :]
            if not self._head and self._at < answer.end:
                left = answer.end - self._at
                sent = os.sendfile(self._client.fileno(), answer.file.descriptor, self._at, left)
                if not sent:
                    raise ConnectionAbortedError("the file is shorter than it was told")
                self._at += sent
        except BlockingIOError:
            return False
        if self._head or self._at < answer.end:
            return False
        self._answer = None
        return True

    def _on_told(self, told: ToldHead) -> None:
        """Send the answer that the http process told of, and keep it."""
        self._active_ns = self._shared.now_ns
        try:
            answer = self._shared.kept.keep(self._asked, told)
        except OSError:
            # Removed since; the http process reads what took its place.
            self._hand_over(self._asked + self._unread)
            return
        try:
            if self._begin(answer, b"%b%b%b" % (told.before, told.request_id, told.behind)):
                self._take(self._unread)
        except OSError:
            self.close()

    def _on_given(self, upstream: socket.socket, received: bytes) -> None:
        """The answer goes to the client as it is, and so does everything from now on."""
        self._leave_to(Relay(self._client, upstream, self._shared, self._unread, received))

    def _hand_over(self, data: bytes) -> None:
        """The http process gets what was read, and everything from now on."""
        self._asking.close()
        try:
            upstream = self._shared.connect()
        except OSError:
            self.close()
            return
        self._leave_to(Relay(self._client, upstream, self._shared, data))

    def _leave_to(self, relay: Relay) -> None:
        self._shared.connections.discard(self)
        relay.begin()
