"""A work without media: it counts ticks, remembers what was done to it, and fails when told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

from jobengine.errors import MediaError
from jobengine.ports.work import WorkContext, WorkOutput

Stage = Literal["prepare", "start", "apply", "advance", "close"]


class SyntheticWork:
    """A `jobengine.ports.work.Work` on a stream clock of ``rate`` ticks per second.

    length_ticks: where its input ends; None: never (only for a paced work). fail_in: the call that raises
    MediaError, ``advance`` only once ``fail_at`` ticks are done. Everything it is told is kept in public
    lists for the test to read.
    """

    def __init__(
        self,
        rate: int | Fraction = 48_000,
        *,
        length_ticks: int | None = None,
        is_paced: bool = True,
        block_ticks: int = 960,
        fail_in: Stage | None = None,
        fail_at: int = 0,
    ) -> None:
        self._rate = Fraction(rate)
        self._length_ticks = length_ticks
        self._is_paced = is_paced
        self._block_ticks = block_ticks
        self._fail_in = fail_in
        self._fail_at = fail_at
        self._position = 0
        self._start_position = 0
        self._is_started = False
        self._is_closed = False
        self.description: Mapping[str, Any] = {}
        """What it was prepared with."""
        self.started_at: datetime | None = None
        self.changes: list[tuple[int, Mapping[str, Any]]] = []
        """(position, description) of every `apply`."""
        self.advances: list[tuple[int, int]] = []
        """(position before, ticks done) of every `advance`."""
        self.discarded_ticks = 0

    @property
    def rate(self) -> Fraction:
        return self._rate

    @property
    def position(self) -> int:
        return self._position

    @property
    def is_paced(self) -> bool:
        return self._is_paced

    @property
    def block_ticks(self) -> int:
        return self._block_ticks

    @property
    def at_end(self) -> bool:
        return self._length_ticks is not None and self._position >= self._length_ticks

    @property
    def outputs(self) -> Sequence[WorkOutput]:
        """One target, open from `start` to `close`."""
        if not self._is_started:
            return ()
        samples = self._position - self._start_position
        url = "synthetic:out"
        return (WorkOutput("Out", "stream", None, url, self._start_position, samples, None, self._is_closed),)

    def prepare(self, description: Mapping[str, Any], context: WorkContext) -> None:
        self._fail_if("prepare")
        self.description = description
        self._position = self._start_position = context.resume_position

    def start(self, at: datetime) -> None:
        self._fail_if("start")
        self.started_at = at
        self._is_started = True

    def apply(self, change: Mapping[str, Any]) -> None:
        self._fail_if("apply")
        self.changes.append((self._position, change))

    def advance(self, ticks: int) -> int:
        if self._position >= self._fail_at:
            self._fail_if("advance")
        done = ticks if self._length_ticks is None else min(ticks, self._length_ticks - self._position)
        self.advances.append((self._position, done))
        self._position += done
        return done

    def discard(self, ticks: int) -> None:
        self.discarded_ticks += ticks

    def progress(self) -> dict[str, Any]:
        return {}

    @property
    def result(self) -> Mapping[str, Any]:
        """Nothing beside the output."""
        return {}

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._fail_if("close")

    def _fail_if(self, stage: Stage) -> None:
        if self._fail_in == stage:
            raise MediaError(f"the synthetic work fails in {stage}, as it was told to")
