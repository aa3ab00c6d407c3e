"""Calls back whoever waits for a socket."""

from __future__ import annotations

import select
from collections.abc import Callable

READABLE, WRITABLE, HANGUP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP
_AT_ONCE = 256

Handler = Callable[[int], None]
"""Gets what is so of its socket."""


class Poller:
    """Sockets and their handlers. Used by one thread.

    A handler may be called once more after its socket was forgotten and another got the same number: handlers
    must bear a call for nothing.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._masks: dict[int, int] = {}

    def watch(self, descriptor: int, mask: int, handler: Handler) -> None:
        """Call ``handler`` when one of ``mask`` is so, or it has failed or hung up; 0: never."""
        self._handlers[descriptor] = handler
        before = self._masks.get(descriptor, 0)
        if mask == before:
            return
        if not mask:
            # With an empty mask it would still tell of every hang-up, again and again.
            self._epoll.unregister(descriptor)
        elif before:
            self._epoll.modify(descriptor, mask)
        else:
            self._epoll.register(descriptor, mask)
        self._masks[descriptor] = mask

    def forget(self, descriptor: int) -> None:
        """Before it is closed."""
        self._handlers.pop(descriptor, None)
        if self._masks.pop(descriptor, 0):
            self._epoll.unregister(descriptor)

    def wait(self, timeout_s: float | None) -> list[tuple[int, int]]:
        """Sockets of which something is so, and what; blocks at most ``timeout_s`` (None: for ever)."""
        return self._epoll.poll(timeout_s, _AT_ONCE)

    def call(self, descriptor: int, events: int) -> None:
        """Call its handler, if it has one still."""
        handler = self._handlers.get(descriptor)
        if handler is not None:
            handler(events)

    def close(self) -> None:
        """Let it go."""
        self._epoll.close()
