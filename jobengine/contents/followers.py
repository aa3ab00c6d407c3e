"""Waiting for news of a contents store: one thread looks at its version for all who wait.

A store that has a bell wakes it. Where there is none the version is looked at every few milliseconds, but
only while somebody waits.
"""

from __future__ import annotations

import threading
from typing import Final

import structlog

from jobengine.errors import UnavailableError
from jobengine.ports.contents import ContentStore

LOOK_EVERY_S = 0.005
RING_WITHIN_S = 0.1
"""How long a bell is waited for until somebody looks whether anybody still waits."""
_log: Final = structlog.get_logger(__name__)


class Followers:
    """Those who wait for commits to one store. Thread-safe."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._pause = threading.Event()
        self._waiting = 0
        self._version = -1
        self._faults = 0
        self._thread: threading.Thread | None = None

    def version(self) -> int:
        """The store's version now; take it before you look, and `wait` behind it if there was nothing."""
        return self._store.version()

    def wait(self, after: int, timeout_s: float) -> bool:
        """Block until the version is larger than ``after``, at most ``timeout_s``; whether it may be."""
        with self._changed:
            self._waiting += 1
            faults = self._faults
            if self._thread is None:
                self._version = -1
                self._thread = threading.Thread(target=self._run, name="followers", daemon=True)
                self._thread.start()
            try:
                return self._changed.wait_for(
                    lambda: self._version > after or self._faults > faults, timeout_s
                )
            finally:
                self._waiting -= 1

    def _run(self) -> None:
        """Look until nobody waits, whatever goes wrong: those who wait then look, and find out themselves."""
        told = ""
        while True:
            try:
                return self._look()
            except Exception as error:
                fault = f"{type(error).__name__}: {error}"
                if fault != told and not isinstance(error, UnavailableError):
                    _log.error("followers.failed", detail=fault, exc_info=error)
                told = fault
            with self._changed:
                self._faults += 1
                self._changed.notify_all()
                if self._ends():
                    return None
            self._pause.wait(RING_WITHIN_S)

    def _look(self) -> None:
        bell = self._store.bell()
        try:
            while self._tell(self._store.version()):
                if bell is None:
                    self._pause.wait(LOOK_EVERY_S)
                else:
                    bell.wait(RING_WITHIN_S)
                    bell.hush()
        finally:
            if bell is not None:
                bell.close()

    def _tell(self, version: int) -> bool:
        """Wake those who wait if it is another version; whether there are any."""
        with self._changed:
            if version != self._version:
                self._version = version
                self._changed.notify_all()
            return not self._ends()

    def _ends(self) -> bool:
        """Whether nobody waits, so that this thread ends. The lock is held."""
        if self._waiting == 0:
            self._thread = None
        return self._waiting == 0
