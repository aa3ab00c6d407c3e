"""Asking the http process for answers to plain GETs, one at a time over one connection."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from jobengine.proxy.heads import END, ToldHead, asking_for_file, read_told
from jobengine.proxy.poller import READABLE
from jobengine.proxy.shared import Shared

ANSWER_HEAD_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is told what came of a question: ``told`` the answer whose body is in a file; ``given`` the
    connection, and what was read of an ordinary answer; ``lost`` that there is none."""

    told: Callable[[ToldHead], None]
    given: Callable[[socket.socket, bytes], None]
    lost: Callable[[], None]


class Asking:
    """One client's questions. The connection is made when it is needed, and kept for the next question."""

    def __init__(self, shared: Shared, heard: Heard) -> None:
        self._shared = shared
        self._heard = heard
        self._upstream: socket.socket | None = None
        self._is_fresh = False
        self._asked = b""
        self._received = b""

    @property
    def is_under_way(self) -> bool:
        """Whether a question was asked that was not answered yet."""
        return bool(self._asked)

    def ask(self, head: bytes) -> None:
        """Ask for the answer to a request. `Heard.lost` may be called before this returns."""
        self._asked, self._received = head, b""
        self._is_fresh = self._upstream is None
        try:
            if self._upstream is None:
                self._upstream = self._shared.connect()
            self._upstream.sendall(asking_for_file(head, self._shared.secret))
        except OSError:
            self._lose()
            return
        self._shared.poller.watch(self._upstream.fileno(), READABLE, self._on_upstream)

    def close(self) -> None:
        """Let the connection go, whatever was asked. Idempotent."""
        upstream, self._upstream, self._asked = self._upstream, None, b""
        if upstream is not None:
            self._shared.poller.forget(upstream.fileno())
            upstream.close()

    def _on_upstream(self, events: int) -> None:
        if self._upstream is None:
            return
        try:
            data = self._upstream.recv(ANSWER_HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        if not self._asked:
            self.close()
        elif not self._received:
            self._lose()
        else:
            self._hear(self._upstream, has_ended=not data)

    def _lose(self) -> None:
        """A connection that had been silent may end just when it is used again; then a new one serves."""
        asked, is_fresh = self._asked, self._is_fresh
        self.close()
        if is_fresh:
            self._heard.lost()
        else:
            self.ask(asked)

    def _hear(self, upstream: socket.socket, has_ended: bool) -> None:
        """See what the answer is, as soon as its head is whole."""
        end = self._received.find(END) + len(END)
        is_whole = end >= len(END)
        if not is_whole and not has_ended and len(self._received) < ANSWER_HEAD_BYTES:
            return
        self._asked = b""
        told = read_told(self._received[:end], self._shared.secret) if is_whole else None
        if told is not None:
            self._heard.told(told)
            return
        self._upstream = None
        self._heard.given(upstream, self._received)
