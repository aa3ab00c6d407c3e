"""A recipe in a thread of its own, in step with its job.

It goes on only as far as the job lets it, so pause and stream conditions hold; and a recipe that is stuck
in a library keeps neither heartbeats nor a cancel from being heard: the process ends and takes it along.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobengine.model.recipe import Result, Stopped

WAIT_S = 0.1
"""How long one `Run.advance` waits for news at most."""
_STOP_TIMEOUT_S = 2.0


class Run:
    """One run of ``body``, which gets this object's `passed`. `advance` and `stop` belong to one thread."""

    def __init__(self, body: Callable[[Callable[[int], None]], Result]) -> None:
        self._body = body
        self._changed = threading.Condition()
        self._limit = 0
        self._counted = 0
        self._position = 0
        self._is_stopped = False
        self._outcome: Result | BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="recipe", daemon=True)

    @property
    def position(self) -> int:
        """Elements passed, as of the last `advance`."""
        return self._position

    @property
    def has_ended(self) -> bool:
        """Whether the recipe has returned and `position` tells of all that it passed."""
        return self._outcome is not None and self._position == self._counted

    def start(self) -> None:
        """Begin; nothing is passed before the first `advance`."""
        self._thread.start()

    def advance(self, count: int) -> int:
        """Let the recipe pass up to ``count`` further elements; how many it passed within 100 ms.

        Raises what the recipe raised.
        """
        begin = self._position
        with self._changed:
            self._limit = begin + count
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._counted >= self._limit or self._outcome is not None, WAIT_S)
            self._position = min(self._counted, self._limit)
        if isinstance(self._outcome, BaseException) and self.has_ended:
            raise self._outcome
        return self._position - begin

    def outcome(self) -> Result:
        """What the recipe returned, once it `has_ended`."""
        if not isinstance(self._outcome, Result):
            raise TypeError(f"a recipe must return a Result, not {type(self._outcome).__name__}")
        return self._outcome

    def stop(self) -> bool:
        """Let the recipe end at its next `passed`; whether it has ended within 2 s. Idempotent."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(_STOP_TIMEOUT_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        outcome: Result | BaseException
        try:
            outcome = self._body(self._passed)
        except BaseException as error:
            outcome = error
        with self._changed:
            self._outcome = outcome
            self._changed.notify_all()

    def _passed(self, count: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped or self._counted < self._limit)
            if self._is_stopped:
                raise Stopped
            self._counted += count
            if self._counted >= self._limit:
                self._changed.notify_all()
