"""Waiting for news of a contents store: one thread looks at its version for all who wait.

A store that has a bell wakes it. Where there is none the version is looked at every few milliseconds, but
only while somebody waits.
"""

from __future__ import annotations

import threading

from jobengine.errors import UnavailableError
from jobengine.ports.contents import Bell, ContentStore

LOOK_EVERY_S = 0.005
RING_WITHIN_S = 0.1
"""How long a bell is waited for until somebody looks whether anybody still waits."""


class Followers:
    """Those who wait for commits to one store. Thread-safe."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._pause = threading.Event()
        self._waiting = 0
        self._version = -1
        self._thread: threading.Thread | None = None

    def version(self) -> int:
        """The store's version now; take it before you look, and `wait` behind it if there was nothing."""
        return self._store.version()

    def wait(self, after: int, timeout_s: float) -> bool:
        """Block until the version is larger than ``after``, at most ``timeout_s``; whether it may be."""
        with self._changed:
            self._waiting += 1
            if self._thread is None:
                self._version = -1
                self._thread = threading.Thread(target=self._look, name="followers", daemon=True)
                self._thread.start()
            try:
                return self._changed.wait_for(lambda: self._version > after, timeout_s)
            finally:
                self._waiting -= 1

    def _look(self) -> None:
        """Until nobody waits."""
        bell = self._bell()
        while True:
            if bell is not None:
                bell.hush()
            try:
                version = self._store.version()
            except UnavailableError:
                version = self._version + 1  # those who wait look, and find out themselves
            with self._changed:
                if version != self._version:
                    self._version = version
                    self._changed.notify_all()
                if self._waiting == 0:
                    self._thread = None
                    break
            if bell is None:
                self._pause.wait(LOOK_EVERY_S)
            else:
                bell.wait(RING_WITHIN_S)
        if bell is not None:
            bell.close()

    def _bell(self) -> Bell | None:
        try:
            return self._store.bell()
        except UnavailableError:
            return None  # those who wait look, and find out themselves
