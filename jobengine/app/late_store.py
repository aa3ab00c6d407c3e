"""A contents store that is opened when it is first needed.

A process that serves more than contents must not depend on a store that is away. Until the store could be
opened, whoever needs it is refused at once; another try is made after a pause, so that neither threads nor
connections pile up. Once it is open, its own way of meeting a lost connection holds.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import structlog

from jobengine.clock import Clock
from jobengine.contents.refusals import store_closed
from jobengine.errors import SettingsError, UnavailableError
from jobengine.ports.contents import ContentStore

PAUSE_S = 1.0
"""Between two tries to open it."""
WAIT_S = 1.0
"""How long others wait for who is opening it."""


class LateStore:
    """Has every member of the `ContentStore` that ``open_store`` opens. Thread-safe.

    Using one raises UnavailableError, with the seconds to wait as ``retryAfter``, while the store can't be
    opened. The first use blocks as long as opening takes.
    """

    def __init__(self, open_store: Callable[[], ContentStore], clock: Clock) -> None:
        self._open_store = open_store
        self._clock = clock
        self._lock = threading.Lock()
        self._store: ContentStore | None = None
        self._fault = ""
        self._retry_at_ns = 0
        self._is_closed = False

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._opened(), name)
        if callable(member):
            setattr(self, name, member)  # found without this detour from now on
        return member

    def close(self) -> None:
        """Close the store if it was opened; it is not opened any more. Idempotent."""
        with self._lock:
            self._is_closed = True
            if self._store is not None:
                self._store.close()

    def _opened(self) -> ContentStore:
        if self._store is not None:
            return self._store
        if not self._lock.acquire(timeout=WAIT_S):
            raise UnavailableError("the contents store is being opened", retryAfter=math.ceil(WAIT_S))
        try:
            if self._store is None:
                self._store = self._open()
            return self._store
        finally:
            self._lock.release()

    def _open(self) -> ContentStore:
        if self._is_closed:
            raise store_closed()
        if self._fault and self._clock.monotonic_ns() < self._retry_at_ns:
            self._refuse()
        try:
            store = self._open_store()
        except (UnavailableError, SettingsError) as error:
            self._note(error.detail)
        except OSError as error:
            self._note(f"the contents store can't be opened: {error.strerror or error}")
        else:
            if self._fault:
                structlog.get_logger("contents").info("contents.opened")
            return store
        self._refuse()

    def _note(self, fault: str) -> None:
        if fault != self._fault:
            structlog.get_logger("contents").warning("contents.not_opened", detail=fault)
        self._fault = fault
        self._retry_at_ns = self._clock.monotonic_ns() + int(PAUSE_S * 1e9)

    def _refuse(self) -> NoReturn:
        raise UnavailableError(self._fault, retryAfter=math.ceil(PAUSE_S))
