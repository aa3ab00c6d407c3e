"""What a sink of re-streamed elements promises to the work that feeds it, whatever stands behind it.

Sockets, a content, a file or another service: each is a `Sink`, opened for one job by
`jobengine.worker.restream.sinks`. A sink may share a socket or a connection with the sinks of other jobs.
Everything runs in one thread and nothing here blocks, except where it is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jobengine.model.element import Element
from jobengine.ports.contents import Buffer


@dataclass(frozen=True, slots=True)
class SinkStream:
    """The stream that a sink is fed with.

    ``name`` is the resulting stream (the topic on a socket). ``format`` and ``document`` are those of the
    stored content and stream: container, codec, size, time base.
    """

    name: str
    format: Mapping[str, Any]
    document: Mapping[str, Any]


class Sink(Protocol):
    """Takes elements in order, once each. Elements count from 0 over everything offered, ends included.

    Every method may raise SinkError; then the sink is of no more use and only `close` may follow.
    """

    @property
    def is_ready(self) -> bool:
        """Whether the other end is there to receive: the first element waits for this. Where that can't be
        known, or does not matter, always true."""
        ...

    @property
    def delivered(self) -> int:
        """How many offers have met the sink's own rule of delivery: queued, acknowledged, stored."""
        ...

    @property
    def safe(self) -> int:
        """How many offers can no longer be lost if this process dies now; never more than `delivered`.

        What lies beyond is sent again by the next worker, so it may arrive twice."""
        ...

    @property
    def mark(self) -> int:
        """Where the sink stands with all that is `safe`, for its successor in the job; 0 where it needs no
        such place."""
        ...

    @property
    def retries(self) -> int:
        """How often something had to be sent again."""
        ...

    @property
    def has_open_circuit(self) -> bool:
        """Whether the other end failed so often that it is left alone for a while."""
        ...

    @property
    def descriptors(self) -> Sequence[int]:
        """File descriptors whose readability means that `poll` may find something new; fixed."""
        ...

    def offer(self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]]) -> int:
        """Take elements, each with its planes, from the first one on; how many. For the others there is no
        room now: offer them again later.

        Their attributes are rewritten for this job already. The sink may keep the buffers.
        """
        ...

    def offer_end(self, labels: Sequence[str], element_id: bytes) -> bool:
        """Take an end of stream in the name of the resulting stream, or say False: no room now.

        A target that keeps ends knows it by the id, which is the same when it is sent again.
        """
        ...

    def give_up(self) -> int:
        """Take back what was offered and is not delivered, as far as it is not on its way; how many. They
        count as if they had never been offered."""
        ...

    def poll(self) -> None:
        """Take note of what has arrived, send again what is overdue."""
        ...

    def close(self) -> None:
        """Let go. What was offered and is not delivered may be lost; may block for a moment. Idempotent."""
        ...
