"""A sink of elements over a socket: a lane and an encoder."""

from __future__ import annotations

from collections.abc import Sequence

from jobengine.errors import SinkError
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
    """A `jobengine.ports.sink.Sink`. Only what is taken is encoded, since the codec counts its records."""

    def __init__(self, lane: Lane, codec: Encoder) -> None:
        self._lane = lane
        self._codec = codec

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

    def offer(self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]]) -> int:
        lane, count, taken = self._lane, len(elements), 0
        while taken < count and (room := lane.room):
            messages = self._messages(elements, planes, taken, min(count, taken + room))
            if not messages:
                break
            lane.offer(messages)
            taken += len(messages)
        return taken

    def offer_end(self, labels: Sequence[str], element_id: bytes) -> bool:
        if not self._lane.room:
            return False
        self._lane.offer((self._codec.end(labels),), is_end=True)
        return True

    def give_up(self) -> int:
        return self._lane.take_back()

    def poll(self) -> None:
        self._lane.poll()

    def close(self) -> None:
        self._lane.close()

    def _messages(
        self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]], begin: int, end: int
    ) -> list[Sequence[Buffer]]:
        """Made before the first of them is sent: what is sent without pauses wakes libzmq's thread, and the
        peer, less often. An element that can't be encoded is told when it is the first of all, so that those
        before it are counted."""
        encode = self._codec.element
        messages: list[Sequence[Buffer]] = []
        try:
            for element, of_element in zip(elements[begin:end], planes[begin:end], strict=True):
                messages.append(encode(element, of_element))
        except SinkError:
            if not (begin or messages):
                raise
        return messages


def open_socket_sink(
    pool: SinkPool, url: str, options: SinkOptions, codec: CodecName, stream: SinkStream
) -> SocketSink:
    """A sink on a socket of the pool. Raises SocketUrlRefused, or MediaError if it can't be opened."""
    codec_of_stream = encoder(codec, stream)
    return SocketSink(pool.acquire(sink_url(url), options, stream.name), codec_of_stream)
