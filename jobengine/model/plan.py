"""The plan of one job: which pending transition passes next, and when.

One implementation serves every work - in the worker on its stream clock, in the engine for jobs without
work, and in the preview of a posted job. The plan holds pending transitions only; whoever runs it reads
the clocks, cuts its work at `next_position`, wakes at `next_moment`, and asks `take` what has fallen due.

Rules (docs/explanation/time): transitions pass when due; of several due at the same point, list order
decides; a Duration counts from the exact point where the transition before it in the list was settled
and waits until then; nothing is due before it was armed; nothing passes early.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from heapq import heappop, heappush
from typing import Any, NamedTuple

import msgspec

from jobengine.clock import from_text
from jobengine.model.condition import Milestone, StreamReading, earliest, holds, milestone, wake_after_ms
from jobengine.model.trigger import (
    DurationTrigger,
    EventTrigger,
    LevelTrigger,
    StreamTrigger,
    TimeTrigger,
    Trigger,
    read_trigger,
)


class Planned(msgspec.Struct, frozen=True, omit_defaults=True):
    """One pending transition as the engine hands it to whoever runs the job.

    ``position`` is its place in the list. ``fired`` is when its event was raised, if it was.
    ``description`` has the service's placeholders filled in.
    """

    transition_id: str
    position: int
    trigger: dict[str, Any]
    description: dict[str, Any] | None = None
    fired: str | None = None
    volatile: bool = False


class Due(NamedTuple):
    """A transition that has fallen due. ``exact`` is its point on the stream clock, unrounded.

    ``skip`` tells why it is exhausted without effect (misfire or coalescing); empty: it passes.
    """

    planned: Planned
    trigger: Trigger
    exact: Fraction | int
    due_moment: datetime | None
    skip: str = ""


@dataclass(slots=True)
class _Pending:
    planned: Planned
    trigger: Trigger
    armed: datetime
    floor: int | None = None
    due_moment: datetime | None = None
    due_exact: Fraction | None = None


class Plan:
    """Pending transitions and their due points. Not thread-safe.

    ``rate`` is the stream clock's ticks per second. ``settled`` maps list positions that were settled
    before to their point on the stream clock (for a plan that is taken up again).
    """

    def __init__(self, rate: Fraction, settled: Mapping[int, Fraction] | None = None) -> None:
        self.rate = rate
        self._settled: dict[int, Fraction | int] = dict(settled or {})
        self._settled_positions = sorted(self._settled)
        self._streams: dict[str, StreamTrigger] = {}
        self._pending: dict[str, _Pending] = {}
        self._done: set[str] = set()
        self._list: list[tuple[int, str]] = []
        self._moments: list[tuple[datetime, int, str]] = []
        self._positions: list[tuple[int, int, str]] = []

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, transition_id: str) -> bool:
        return transition_id in self._pending

    def arm(self, transitions: Iterable[Planned], now: datetime, floor: int | None = None) -> None:
        """Add transitions; one that is pending or was settled already is left as it is.

        Who can't cut its work exactly gives ``floor``, the position now: a Duration that is taken late
        then keeps its own point, unless that was gone by when it was armed.
        """
        for planned in transitions:
            if planned.transition_id not in self._pending and planned.transition_id not in self._done:
                pending = _Pending(planned, read_trigger(planned.trigger), now, floor)
                self._pending[planned.transition_id] = pending
                if isinstance(pending.trigger, StreamTrigger):
                    self._streams[planned.transition_id] = pending.trigger
                insort(self._list, (planned.position, planned.transition_id))
                self._schedule(pending)
                self._schedule_follower(planned.position)

    def withdraw(self, transition_id: str) -> bool:
        """Take a pending transition off the plan; False if it is not pending (any more)."""
        pending = self._pending.get(transition_id)
        if pending is None:
            return False
        self._forget(pending)
        self._schedule_follower(pending.planned.position)
        return True

    def fire(self, transition_id: str, raised: datetime) -> None:
        """The event that a transition waits for was raised: it is due from then on."""
        pending = self._pending.get(transition_id)
        if pending is not None and pending.due_moment is None:
            self._due_at(pending, max(raised, pending.armed))

    @property
    def is_on_stream_clock(self) -> bool:
        """Whether any transition may fall due there; else `next_position` is None for any reading."""
        return bool(self._streams or self._positions)

    def next_position(self, reading: StreamReading) -> int | None:
        """The next point of the stream clock where a transition falls due; never before ``reading``."""
        candidates = [earliest(t.condition, reading) for t in self._streams.values()]
        self._drop_stale(self._positions)
        if self._positions:
            candidates.append(max(self._positions[0][0], reading.position))
        return min((c for c in candidates if c is not None), default=None)

    def milestone(self, reading: StreamReading) -> Milestone | None:
        """How far nothing falls due on the stream clock of a work that goes by elements; None: ever."""
        self._drop_stale(self._positions)
        if not self._streams and not self._positions:
            return None
        nearest = Milestone(position=self._positions[0][0]) if self._positions else Milestone()
        for trigger in self._streams.values():
            nearest = nearest.nearest(milestone(trigger.condition, reading))
        return nearest

    def next_moment(self, now: datetime, reading: StreamReading) -> datetime | None:
        """The next wall time at which a transition falls due or a real-time condition may turn true."""
        waits = [wake_after_ms(t.condition, reading) for t in self._streams.values()]
        moments = [now + timedelta(milliseconds=wait, microseconds=1) for wait in waits if wait is not None]
        self._drop_stale(self._moments)
        if self._moments:
            moments.append(self._moments[0][0])
        return min(moments, default=None)

    def take(self, now: datetime, reading: StreamReading, until: datetime | None = None) -> Due | None:
        """The transition to settle next, taken off the plan, or None if nothing is due.

        Among those due, the earlier due moment goes first; at the same moment list order decides. Work that
        is behind the wall clock and catches up says by ``until`` how far it is: moments after that will come.
        """
        due = self._first_due(until or now, reading)
        if due is None:
            return None
        _, position, transition_id = due
        pending = self._pending[transition_id]
        exact = self._exact_point(pending, reading)
        skip = self._skip_reason(pending, now)
        self._forget(pending)
        self._done.add(transition_id)
        self._settled[position] = exact
        insort(self._settled_positions, position)
        self._schedule_follower(position)
        return Due(pending.planned, pending.trigger, exact, _due_moment(pending), skip)

    def _first_due(self, now: datetime, reading: StreamReading) -> tuple[datetime, int, str] | None:
        self._drop_stale(self._moments)
        self._drop_stale(self._positions)
        first = self._moments[0] if self._moments and self._moments[0][0] <= now else None
        if not self._positions and not self._streams:
            return first
        due = [first] if first is not None else []
        if self._positions and self._positions[0][0] <= reading.position:
            due.append((now, *self._positions[0][1:]))
        for transition_id, trigger in self._streams.items():
            if holds(trigger.condition, reading):
                due.append((now, self._pending[transition_id].planned.position, transition_id))
        return min(due, default=None)

    def _skip_reason(self, pending: _Pending, now: datetime) -> str:
        trigger = pending.trigger
        if not isinstance(trigger, TimeTrigger):
            return ""
        if now - trigger.start_time <= _span(trigger.misfire_grace_ms):
            return ""
        if trigger.misfire == "skip":
            return "misfire"
        return "coalesced" if trigger.coalesce and self._is_overtaken(pending, now) else ""

    def _is_overtaken(self, pending: _Pending, now: datetime) -> bool:
        """Whether a Time trigger further down the list is overdue as well."""
        return any(
            entry[0] <= now
            and entry[1] > pending.planned.position
            and self._is_live(entry)
            and isinstance(self._pending[entry[2]].trigger, TimeTrigger)
            for entry in self._moments
        )

    def _schedule(self, pending: _Pending) -> None:
        match pending.trigger:
            case TimeTrigger(start_time=start):
                self._due_at(pending, max(start, pending.armed))
            case DurationTrigger(duration=duration_ms):
                self._schedule_duration(pending, duration_ms)
            case EventTrigger():
                if pending.planned.fired is not None:
                    self._due_at(pending, max(from_text(pending.planned.fired), pending.armed))
            case StreamTrigger() | LevelTrigger():
                pass
            case _:
                self._due_at(pending, pending.armed)

    def _due_at(self, pending: _Pending, moment: datetime) -> None:
        pending.due_moment = moment
        heappush(self._moments, (moment, pending.planned.position, pending.planned.transition_id))

    def _schedule_duration(self, pending: _Pending, duration_ms: int) -> None:
        anchor = self._anchor(pending.planned.position)
        pending.due_exact = None
        if anchor is not None:
            pending.due_exact = anchor + Fraction(duration_ms, 1000) * self.rate
            entry = (
                round_half_up(pending.due_exact),
                pending.planned.position,
                pending.planned.transition_id,
            )
            heappush(self._positions, entry)

    def _schedule_follower(self, position: int) -> None:
        """The transition after ``position`` has a new predecessor, or its predecessor was settled."""
        index = bisect_left(self._list, (position + 1, ""))
        if index < len(self._list):
            follower = self._pending[self._list[index][1]]
            if isinstance(follower.trigger, DurationTrigger):
                self._schedule_duration(follower, follower.trigger.duration)

    def _anchor(self, position: int) -> Fraction | int | None:
        """Where the transition before ``position`` was settled; 0 for the first; None while it is pending."""
        index = bisect_left(self._list, (position, ""))
        before = self._list[index - 1][0] if index else -1
        place = bisect_left(self._settled_positions, position)
        settled = self._settled_positions[place - 1] if place else -1
        if before > settled:
            return None
        return self._settled[settled] if settled >= 0 else 0

    def _exact_point(self, pending: _Pending, reading: StreamReading) -> Fraction | int:
        exact, floor = pending.due_exact, pending.floor
        if exact is None:
            return reading.position
        is_in_time = round_half_up(exact) == reading.position or (floor is not None and exact >= floor)
        return exact if is_in_time else reading.position

    def _forget(self, pending: _Pending) -> None:
        planned = pending.planned
        del self._pending[planned.transition_id]
        self._streams.pop(planned.transition_id, None)
        del self._list[bisect_left(self._list, (planned.position, planned.transition_id))]

    def _drop_stale(self, heap: list[Any]) -> None:
        while heap and not self._is_live(heap[0]):
            heappop(heap)

    def _is_live(self, entry: tuple[Any, int, str]) -> bool:
        pending = self._pending.get(entry[2])
        if pending is None:
            return False
        if isinstance(entry[0], datetime):
            return entry[0] == pending.due_moment
        return pending.due_exact is not None and entry[0] == round_half_up(pending.due_exact)


def round_half_up(value: Fraction) -> int:
    """The nearest whole tick, halves up: ``(2·n + d) // 2·d``."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


@cache
def _span(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)


def _due_moment(pending: _Pending) -> datetime | None:
    """When the trigger itself says it is due: a Time's start even if it was armed later."""
    return pending.trigger.start_time if isinstance(pending.trigger, TimeTrigger) else pending.due_moment
