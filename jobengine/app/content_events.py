"""Raises named events for changes of contents, whoever made them, in steps that an http process repeats.

The catalogue in the store is looked at, since others write to it too: workers, and services that share it. So
what has changed while nobody looked is not told. Elements that come raise nothing.
"""

from __future__ import annotations

from collections import deque
from itertools import islice

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.changes import Change
from jobengine.contents.watch import CatalogueWatch
from jobengine.messaging.engine_client import EngineClient
from jobengine.messaging.engine_messages import RaiseEvent

ACTOR = "contents"
LOOK_EVERY_S = 0.1
"""Between two looks, which are one short read each as long as nothing changes."""
LARGEST_SHARE = 0.1
"""Of the time that reading may take: after all of a large catalogue the next look waits accordingly."""
RETRY_S = 1.0
"""After a step that failed."""
TOLD_AT_ONCE = 100
"""Events that one step raises, each a request to the engine: the end of the process waits for a step."""


class ContentEvents:
    """Watches one catalogue. What is there at the first look is not told as new. For one thread.

    An event that the engine has not confirmed is raised again, so it may come twice; meanwhile the catalogue
    is not looked at, so that what waits is never more than what one look has found.
    """

    def __init__(self, catalogue: Catalogue, engine: EngineClient, clock: Clock) -> None:
        self._watch = CatalogueWatch(catalogue)
        self._engine = engine
        self._clock = clock
        self._untold: deque[Change] = deque()

    def step(self) -> float:
        """Raise events for what has changed since the last step; the seconds until the next one.

        Raises UnavailableError while store or engine are away, and whatever else goes wrong; the next step
        goes on where this one was: at the change that could not be told, or at the same look.
        """
        pause_s = 0.0 if self._untold else self._look()
        for change in list(islice(self._untold, TOLD_AT_ONCE)):
            self._engine.ask(RaiseEvent, actor=ACTOR, name=change.event, data=change.data)
            self._untold.popleft()
        return 0.0 if self._untold else pause_s

    def _look(self) -> float:
        """Find what has changed; the seconds until the next look, more if this one took long."""
        begin_ns = self._clock.monotonic_ns()
        self._untold += self._watch.look()
        took_s = (self._clock.monotonic_ns() - begin_ns) / 1e9
        return max(LOOK_EVERY_S, took_s / LARGEST_SHARE)
