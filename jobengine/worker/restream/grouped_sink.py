"""A sink for targets that block: what it is given goes to a thread in groups, one group at a time.

A content, a file and another service are each a `GroupWriter` behind it. While a group is being written the
next one gathers, up to bounds; beyond them the sink has no room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import NamedTuple, Protocol

import structlog

from jobengine.clock import Clock
from jobengine.errors import JobEngineError, SinkError
from jobengine.messaging.sockets.breaker import Breaker
from jobengine.model.element import Element, ElementKind
from jobengine.model.message import Message, message_attributes
from jobengine.ports.contents import Buffer

GROUP = 256
GROUP_BYTES = 8 << 20
RETRY_NS = 100_000_000


class Offered(NamedTuple):
    """An element as it was offered."""

    element: Element
    planes: Sequence[Buffer]


class TryAgain(Exception):
    """The target can't take a group now; the text is a sentence. ``after_s``: not before so many seconds."""

    def __init__(self, detail: str, after_s: float = 0.0) -> None:
        super().__init__(detail)
        self.after_s = after_s


class GroupWriter(Protocol):
    """Writes groups, called by one thread at a time."""

    @property
    def name(self) -> str:
        """What it writes, for people."""
        ...

    def write(self, group: Sequence[Offered]) -> int:
        """Write a group, whole; where the target stands then, for `Sink.mark`. Blocks. Raises
        JobEngineError, or TryAgain: then the same group comes again, and what it holds may be there already.
        """
        ...

    def close(self) -> None:
        """Nothing more will come. Idempotent."""
        ...


class GroupedSink:
    """A `jobengine.ports.sink.Sink`. ``breaker`` may be shared by sinks with one target; None: an own one.

    ``mark`` is where a former worker's sink stood.
    """

    def __init__(
        self,
        writer: GroupWriter,
        executor: Executor,
        clock: Clock,
        breaker: Breaker | None = None,
        mark: int = 0,
    ) -> None:
        self._writer = writer
        self._executor = executor
        self._clock = clock
        self._breaker = breaker or Breaker()
        self._group: list[Offered] = []
        self._waiting: list[Offered] = []
        self._waiting_bytes = 0
        self._writing: Future[int] | None = None
        self._again_ns = 0
        self._log = structlog.get_logger("restream")
        self.is_ready = True
        self.delivered = 0
        self.retries = 0
        self.mark = mark
        self.descriptors: Sequence[int] = ()

    @property
    def safe(self) -> int:
        """What is written stays."""
        return self.delivered

    @property
    def has_open_circuit(self) -> bool:
        return self._breaker.is_open

    def offer(self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]]) -> int:
        for place, offered in enumerate(map(Offered, elements, planes)):
            if self._is_full:
                self.poll()
            if self._is_full:
                return place
            self._waiting.append(offered)
            self._waiting_bytes += sum(map(len, offered.planes))
        if self._writing is None:
            self._begin()
        return len(elements)

    def offer_end(self, labels: Sequence[str], element_id: bytes) -> bool:
        attributes = message_attributes(Message.END_OF_STREAM, labels)
        end = Element(ElementKind.PACKET, None, attributes=attributes, element_id=element_id)
        return self.offer((end,), ((),)) == 1

    def poll(self) -> None:
        if self._writing is not None and self._writing.done():
            self._end(self._writing)
        if self._writing is None and (self._group or self._waiting):
            self._begin()

    def give_up(self) -> int:
        """A group that is being written stays, and one that was refused goes."""
        lost = self._waiting if self._writing is not None else [*self._group, *self._waiting]
        if self._writing is None:
            self._group = []
        self._waiting, self._waiting_bytes = [], 0
        return len(lost)

    def close(self) -> None:
        """What waits is dropped; what is being written is, and then the target is closed by whoever did."""
        self._waiting.clear()
        self._group = []
        if self._writing is None:
            self._writer.close()
        else:
            self._writing.add_done_callback(_closing(self._writer))
            self._writing = None

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= GROUP or self._waiting_bytes >= GROUP_BYTES

    def _begin(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._again_ns or not self._breaker.admits(now_ns):
            return
        if not self._group:
            self._group, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._writing = self._executor.submit(self._writer.write, self._group)

    def _end(self, writing: Future[int]) -> None:
        self._writing = None
        try:
            self.mark = writing.result()
        except TryAgain as refusal:
            now_ns = self._clock.monotonic_ns()
            self._again_ns = now_ns + max(RETRY_NS, int(refusal.after_s * 1e9))
            self._breaker.failed(now_ns)
            self.retries += 1
            self._log.warning("sink.refused", sink=self._writer.name, detail=str(refusal))
        except JobEngineError as error:
            raise SinkError(f"{self._writer.name} can't be written: {error.detail}") from error
        else:
            self._breaker.succeeded()
            self.delivered += len(self._group)
            self._group = []


def _closing(writer: GroupWriter) -> Callable[[Future[int]], None]:
    return lambda _: writer.close()
