"""Notices of commits, as an http process hears them: one thread, one SUB socket, a count to wait for.

A notice only says that there is something new to read; a lost one is made good by whoever waits with a
timeout and looks into the database.
"""

from __future__ import annotations

import threading
from typing import Any

import zmq

_POLL_MS = 200


class NoticeListener:
    """Listens from `start` to `end` or `close`. Thread-safe."""

    def __init__(self, context: zmq.Context[Any], address: str) -> None:
        self._context = context
        self._address = address
        self._changed = threading.Condition()
        self._count = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._listen, name="notices", daemon=True)

    @property
    def count(self) -> int:
        """How many notices have come; never falls."""
        return self._count

    @property
    def has_ended(self) -> bool:
        """Whether no further notice will come, as the process stops."""
        return self._is_closed

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def wait(self, after: int, timeout_s: float) -> int:
        """Block until `count` is larger than ``after``, at most ``timeout_s``; the count then."""
        with self._changed:
            self._changed.wait_for(lambda: self._count > after or self._is_closed, timeout_s)
            return self._count

    def end(self) -> None:
        """Stop listening and wake everybody within 200 ms; does not block, and may be called by a signal."""
        self._is_closed = True

    def close(self) -> None:
        """Stop listening and wake everybody; blocks until that is done."""
        self.end()
        if self._thread.is_alive():
            self._thread.join()

    def _listen(self) -> None:
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(self._address)
        try:
            while not self._is_closed:
                if socket.poll(_POLL_MS):
                    self._drain(socket)
        finally:
            socket.close()
            with self._changed:
                self._changed.notify_all()

    def _drain(self, socket: zmq.Socket[bytes]) -> None:
        while True:
            try:
                socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                break
        with self._changed:
            self._count += 1
            self._changed.notify_all()
