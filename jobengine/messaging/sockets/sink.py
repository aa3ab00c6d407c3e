"""A sink of elements over a socket: a lane and an encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

    def offer(self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]]) -> int:
        return self._lane.offer_each(self._messages(elements, planes))

    def offer_end(self, labels: Sequence[str], element_id: bytes) -> bool:
        frames = self._again(labels) or self._codec.end(labels)
        is_taken = self._lane.offer(frames, is_end=True)
        self._refused = None if is_taken else (labels, frames)
        return is_taken

    def give_up(self) -> int:
        return self._lane.take_back()

    def poll(self) -> None:
        self._lane.poll()

    def close(self) -> None:
        self._lane.close()

    def _again(self, offered: object) -> Sequence[Buffer] | None:
        return self._refused[1] if self._refused is not None and self._refused[0] == offered else None

    def _messages(
        self, elements: Sequence[Element], planes: Sequence[Sequence[Buffer]]
    ) -> Iterator[Sequence[Buffer]]:
        """Each is made when it is wanted; whoever wants another has taken it. One that can't be encoded is
        told when it is the first, so that those before it are counted."""
        encode, first = self._codec.element, elements[0]
        frames = self._again(first)
        for element, parts in zip(elements, planes, strict=True):
            try:
                frames = frames or encode(element, parts)
            except SinkError:
                if element is first:
                    raise
                break
            self._refused = element, frames
            yield frames
            frames = None
        self._refused = None


def open_socket_sink(
    pool: SinkPool, url: str, options: SinkOptions, codec: CodecName, stream: SinkStream
) -> SocketSink:
    """A sink on a socket of the pool. Raises SocketUrlRefused, or MediaError if it can't be opened."""
    codec_of_stream = encoder(codec, stream)
    return SocketSink(pool.acquire(sink_url(url), options, stream.name), codec_of_stream)
