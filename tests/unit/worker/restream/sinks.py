"""A sink that remembers when what came, with faults on demand."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from jobengine.errors import SinkError
from jobengine.model.element import Element
from jobengine.model.message import labels_of
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import SinkStream
from jobengine.testing import ManualClock


class Died(BaseException):
    """The worker's process is gone."""


class RememberingSink:
    """A `jobengine.ports.sink.Sink`.

    The test sets ``room`` (elements it still takes; None: any), ``is_ready``, ``confirms`` (whether what was
    taken counts as delivered) and ``unsafe`` (how many of the last ones may be lost). ``polls`` counts how
    often it was looked at.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.stream: SinkStream | None = None
        self.room: int | None = None
        self.is_ready = True
        self.confirms = True
        self.unsafe = 0
        self.fault = ""
        self.dies_after: int | None = None
        """The worker dies when it offers more than this in all."""
        self.retries = self.polls = 0
        self.has_open_circuit = False
        self.given_up = 0
        self.mark = 0
        self.descriptors: Sequence[int] = ()
        self.start_ns = clock.monotonic_ns()
        self.received: list[tuple[float, bytes | None, Sequence[Buffer]]] = []
        """(ms after the start, id or None for an end of stream, planes)."""
        self.elements: list[Element] = []
        self.ends: list[list[str]] = []
        self.is_closed = False
        self._delivered = 0
        self._former = 0

    def open(self, stream: SinkStream) -> RememberingSink:
        """The sink as a worker opens it: it counts from now on."""
        self.stream, self._former, self._delivered = stream, len(self.received), 0
        return self

    @property
    def delivered(self) -> int:
        if self.confirms:
            self._delivered = len(self.received) - self._former
        return self._delivered

    @property
    def safe(self) -> int:
        return max(0, self.delivered - self.unsafe)

    @property
    def times_ms(self) -> list[float]:
        """When media came."""
        return [ms for ms, element_id, _ in self.received if element_id is not None]

    @property
    def ids(self) -> list[UUID]:
        return [UUID(bytes=element_id) for _, element_id, _ in self.received if element_id is not None]

    def offer(self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]]) -> int:
        for place, element in enumerate(elements):
            if len(self.ids) == self.dies_after and not place:
                raise Died
            if len(self.ids) == self.dies_after or not self._has_room():
                return place
            self.elements.append(element)
            self.received.append((self._now_ms(), element.element_id, planes[place]))
        return len(elements)

    def offer_end(self, labels: Sequence[str], element_id: bytes) -> bool:
        if not self._has_room():
            return False
        self.ends.append(list(labels))
        self.received.append((self._now_ms(), None, ()))
        return True

    def give_up(self) -> int:
        """What was received and not confirmed was never here."""
        count = len(self.received) - self._former - self.delivered
        if count:
            del self.received[-count:]
        self.given_up += count
        return count

    def poll(self) -> None:
        self.polls += 1
        if self.fault:
            raise SinkError(self.fault)

    def close(self) -> None:
        self.is_closed = True

    def _has_room(self) -> bool:
        if self.room is None:
            return True
        self.room -= 1
        return self.room >= 0

    def _now_ms(self) -> float:
        return (self._clock.monotonic_ns() - self.start_ns) / 1e6


def labels(element: Element) -> list[str]:
    return labels_of(element.attributes)
