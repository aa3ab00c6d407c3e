"""A sink of elements over a socket: a lane and an encoder."""

from __future__ import annotations

from collections.abc import Sequence

from jobengine.messaging.sockets.codec import Encoder
from jobengine.messaging.sockets.codecs import CodecName, encoder
from jobengine.messaging.sockets.lane import Lane
from jobengine.messaging.sockets.pool import SinkPool
from jobengine.model.element import Element
from jobengine.model.socket_options import SinkOptions
from jobengine.model.socket_url import sink_url
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import SinkStream


class SocketSink:
    """A `jobengine.ports.sink.Sink`. What was refused and is offered again is not encoded a second time."""

    def __init__(self, lane: Lane, codec: Encoder) -> None:
        self._lane = lane
        self._codec = codec
        self._refused: tuple[object, Sequence[Buffer]] | None = None

    @property
    def is_ready(self) -> bool:
        return self._lane.is_ready

    @property
    def delivered(self) -> int:
        return self._lane.delivered

    @property
    def safe(self) -> int:
        return self._lane.safe

    @property
    def mark(self) -> int:
        return 0

    @property
    def retries(self) -> int:
        return self._lane.retries

    @property
    def has_open_circuit(self) -> bool:
        return self._lane.has_open_circuit

    @property
    def descriptors(self) -> Sequence[int]:
        return self._lane.descriptors

    def offer(self, element: Element, planes: Sequence[Buffer]) -> bool:
        return self._hand_over(element, self._again(element) or self._codec.element(element, planes), False)

    def offer_end(self, labels: Sequence[str], element_id: bytes) -> bool:
        return self._hand_over(labels, self._again(labels) or self._codec.end(labels), True)

    def give_up(self) -> int:
        return self._lane.take_back()

    def poll(self) -> None:
        self._lane.poll()

    def close(self) -> None:
        self._lane.close()

    def _again(self, offered: object) -> Sequence[Buffer] | None:
        return self._refused[1] if self._refused is not None and self._refused[0] == offered else None

    def _hand_over(self, offered: object, frames: Sequence[Buffer], is_end: bool) -> bool:
        is_taken = self._lane.offer(frames, is_end)
        self._refused = None if is_taken else (offered, frames)
        return is_taken


def open_socket_sink(
    pool: SinkPool, url: str, options: SinkOptions, codec: CodecName, stream: SinkStream
) -> SocketSink:
    """A sink on a socket of the pool. Raises SocketUrlRefused, or MediaError if it can't be opened."""
    codec_of_stream = encoder(codec, stream)
    return SocketSink(pool.acquire(sink_url(url), options), codec_of_stream)
