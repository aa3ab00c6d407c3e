"""Raises named events for changes of contents, whoever made them: one thread of an http process.

The catalogue in the store is looked at, since others write to it too: workers, and services that share it. So
what has changed while nobody looked is not told. Elements that come raise nothing.
"""

from __future__ import annotations

import threading
from collections import deque

import structlog

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.changes import Catalogued, Change, changes, look
from jobengine.errors import UnavailableError
from jobengine.messaging.engine_client import EngineClient
from jobengine.messaging.engine_messages import RaiseEvent

ACTOR = "contents"
LOOK_EVERY_S = 0.1
"""Between two looks at the number of changes, which is one short read."""
LARGEST_SHARE = 0.1
"""Of the time that reading a large catalogue may take: the next look waits accordingly."""
RETRY_S = 1.0
END_TIMEOUT_S = 2.0


class ContentEvents:
    """Watches one catalogue from `start` to `end`. What is there at the first look is not told as new.

    An event that the engine has not confirmed is raised again, so it may come twice; meanwhile the catalogue
    is not looked at, so that what waits is never more than what one look has found.
    """

    def __init__(self, catalogue: Catalogue, engine: EngineClient, clock: Clock) -> None:
        self._catalogue = catalogue
        self._engine = engine
        self._clock = clock
        self._count = -1
        self._before: Catalogued | None = None
        self._untold: deque[Change] = deque()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="content-events", daemon=True)
        self._log = structlog.get_logger("contents")

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def end(self) -> None:
        """Stop; blocks for at most two seconds for what is going on."""
        self._ending.set()
        self._thread.join(END_TIMEOUT_S)

    def step(self) -> float:
        """Raise events for what has changed since the last step; the seconds until the next one.

        Raises UnavailableError while store or engine are away; the next step goes on where this one was.
        """
        self._tell()
        pause_s = self._look()
        self._tell()
        return pause_s

    def _run(self) -> None:
        is_away, pause_s = False, 0.0
        while not self._ending.wait(pause_s):
            try:
                pause_s = self.step()
                is_away = False
            except UnavailableError as error:
                if not is_away:
                    self._log.warning("contents.not_watched", detail=error.detail)
                is_away, pause_s = True, RETRY_S

    def _look(self) -> float:
        """Find what has changed; the seconds until the next look, more if this one took long."""
        begin_ns = self._clock.monotonic_ns()
        count = self._catalogue.changes()
        if count != self._count:
            now = look(self._catalogue.contents(), self._before or {})
            if self._before is not None:
                self._untold += changes(self._before, now)
            self._before, self._count = now, count
        took_s = (self._clock.monotonic_ns() - begin_ns) / 1e9
        return max(LOOK_EVERY_S, took_s / LARGEST_SHARE)

    def _tell(self) -> None:
        while self._untold and not self._ending.is_set():
            change = self._untold[0]
            self._engine.ask(RaiseEvent, actor=ACTOR, name=change.event, data=change.data)
            self._untold.popleft()
