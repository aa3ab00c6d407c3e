"""The stream clock of a re-streaming job, and what else it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from uuid import UUID

from jobengine.model.element import Element
from jobengine.worker.restream.ledger import Delivered

RATE = Fraction(1_000_000)
"""Ticks of the stream clock: microseconds of media."""

POSITION_MAX = 2**63 - 1
"""What absurd timestamps add up to is cut here, so that it can be kept and told."""

TENTH_NS = 100_000
LATENESS_STEPS = 168
"""Up to 14 minutes."""


class StreamClock:
    """Media time and elements handed on. Where timestamps fall back the clock stands still."""

    def __init__(self) -> None:
        self.use(1 / RATE)
        self._base_us = 0
        self._ticks = 0
        self._timestamp: int | None = None
        self.position = 0
        self.elements = 0
        self.key_elements = 0
        self.last_id = b""

    @property
    def timestamp(self) -> int:
        """That of the last element, in ticks; 0 where the next is no successor."""
        return self._timestamp or 0

    def __copy__(self) -> StreamClock:
        """In a tenth of the time that `copy.copy` takes on its own; one is taken of each stretch."""
        copied = StreamClock.__new__(StreamClock)
        copied.__dict__.update(self.__dict__)
        return copied

    def use(self, time_base: Fraction) -> None:
        """Timestamps are in ticks of this."""
        self._numerator = time_base.numerator * RATE.numerator
        self._denominator = time_base.denominator

    def take_up(self, delivered: Delivered) -> None:
        """Go on where a former worker was."""
        self._base_us = self.position = delivered.position
        self.elements, self.key_elements = delivered.elements, delivered.key_elements
        self._timestamp, self.last_id = delivered.timestamp, delivered.last_id

    def forget(self) -> None:
        """The next element is no successor of the last one."""
        self._timestamp = None

    def handed_on(self, element: Element, timestamp: int) -> None:
        """One element more."""
        self._go_to(timestamp)
        self.elements += 1
        self.key_elements += element.is_key
        self.last_id = element.element_id

    def handed_on_in_order(self, elements: Sequence[Element], first: int, last: int) -> None:
        """Some elements more, their timestamps rising from ``first`` to ``last``."""
        self._go_to(first)
        self._go_to(last)
        self.elements += len(elements)
        self.key_elements += sum([element.is_key for element in elements])
        self.last_id = elements[-1].element_id

    def _go_to(self, timestamp: int) -> None:
        if self._timestamp is not None and timestamp > self._timestamp:
            self._ticks += timestamp - self._timestamp
            position = self._base_us + self._ticks * self._numerator // self._denominator
            self.position = position if position < POSITION_MAX else POSITION_MAX
        self._timestamp = timestamp


class Lateness:
    """How late elements were handed on, counted in steps: of a tenth of a millisecond up to 1.6 ms, then an
    eighth of the power of two that they are in. The last step has no end."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.last_ns = 0
        self.worst_ns = 0

    def note(self, late_ns: int, count: int = 1) -> None:
        """One element more, or some; before its time is never."""
        self.last_ns = late_ns
        tenths = late_ns // TENTH_NS if late_ns > 0 else 0
        if tenths >= 16:
            shift = tenths.bit_length() - 4
            tenths = min(8 * shift + (tenths >> shift), LATENESS_STEPS - 1)
        self._counts[tenths] = self._counts.get(tenths, 0) + count
        if late_ns > self.worst_ns:
            self.worst_ns = late_ns

    @property
    def steps(self) -> list[tuple[float, int]]:
        """How many elements were less than so many milliseconds late, and not within the step before."""
        return [(_ENDS_MS[step], count) for step, count in sorted(self._counts.items())]

    def percentile_ms(self, percent: float) -> float:
        """What ``percent`` of all elements did not exceed, rounded up to a step; 0 where there are none."""
        left = sum(self._counts.values()) * percent / 100
        for end_ms, count in self.steps:
            left -= count
            if left <= 0:
                return end_ms
        return 0.0


def _end_ms(step: int) -> float:
    """Where a step ends."""
    shift = max(0, step // 8 - 1)
    return float((step - 8 * shift + 1) << shift) / 10


_ENDS_MS = [_end_ms(step) for step in range(LATENESS_STEPS)]


@dataclass(slots=True)
class Counters:
    """What happened beside the stream clock. ``gone`` elements were in ``gaps``; ``skipped`` ones are no
    media, or of another kind."""

    payload_bytes: int = 0
    gaps: int = 0
    gone: int = 0
    skipped: int = 0
    first_id: bytes = b""
    is_oldest: bool = False
    lateness: Lateness = field(default_factory=Lateness)

    def document(self) -> dict[str, object]:
        """As clients see it."""
        return {
            "bytes": self.payload_bytes,
            "gaps": self.gaps,
            "goneElements": self.gone,
            "skippedElements": self.skipped,
            "firstId": str(UUID(bytes=self.first_id)) if self.first_id else None,
            "beganAtOldest": self.is_oldest,
            "driftMs": round(self.lateness.last_ns / 1e6, 3),
            "worstLateMs": round(self.lateness.worst_ns / 1e6, 3),
            "lateness": self.lateness.steps,
        }
