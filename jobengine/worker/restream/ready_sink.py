"""A publisher that waits for its first subscriber, but not for ever."""

from __future__ import annotations

from collections.abc import Sequence

from jobengine.clock import Clock
from jobengine.model.element import Element
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import Sink


class ReadySink:
    """A `jobengine.ports.sink.Sink` in front of another. Without a subscriber it is ready after ``wait_ms``,
    counted from when it was first asked: publishing to nobody is no fault."""

    def __init__(self, sink: Sink, clock: Clock, wait_ms: int) -> None:
        self._sink = sink
        self._clock = clock
        self._wait_ns = wait_ms * 1_000_000
        self._asked_ns: int | None = None
        self.descriptors = sink.descriptors

    @property
    def is_ready(self) -> bool:
        if self._asked_ns is None:
            self._asked_ns = self._clock.monotonic_ns()
        return self._sink.is_ready or self._clock.monotonic_ns() - self._asked_ns >= self._wait_ns

    @property
    def delivered(self) -> int:
        return self._sink.delivered

    @property
    def safe(self) -> int:
        return self._sink.safe

    @property
    def mark(self) -> int:
        return self._sink.mark

    @property
    def retries(self) -> int:
        return self._sink.retries

    @property
    def has_open_circuit(self) -> bool:
        return self._sink.has_open_circuit

    def offer(self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]]) -> int:
        return self._sink.offer(elements, planes)

    def offer_end(self, labels: Sequence[str], element_id: bytes) -> bool:
        return self._sink.offer_end(labels, element_id)

    def give_up(self) -> int:
        return self._sink.give_up()

    def poll(self) -> None:
        self._sink.poll()

    def close(self) -> None:
        self._sink.close()
