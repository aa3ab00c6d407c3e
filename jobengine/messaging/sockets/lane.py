"""One user's lane on a socket that several share: its messages go in order, and it counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobengine.errors import SinkError
from jobengine.ports.contents import Buffer

if TYPE_CHECKING:
    from jobengine.messaging.sockets.writer import SocketWriter


class Lane:
    """Messages of one user, all of one topic. The counts have the meaning that `jobengine.ports.sink.Sink`
    gives them.

    ``delivered``, ``safe``, ``retries``, ``awaits_end`` and ``has_ended`` (the peer has confirmed the end of
    the stream, so it has read all before) are kept by the writer.
    """

    def __init__(self, writer: SocketWriter, topic: str) -> None:
        self._writer = writer
        self.topic = topic
        self._fault = ""
        self.is_closed = False
        self.awaits_end = False
        self.has_ended = False
        self.offered = 0
        self.delivered = 0
        self.safe = 0
        self.retries = 0

    @property
    def is_ready(self) -> bool:
        """Whether a peer is connected, and for a publisher whether one has subscribed."""
        return self._writer.is_ready

    @property
    def has_open_circuit(self) -> bool:
        """Whether the sink failed so often that it is left alone for a while."""
        return self._writer.has_open_circuit

    @property
    def descriptors(self) -> Sequence[int]:
        """Descriptors that become readable when `poll` should be called."""
        return self._writer.descriptors

    @property
    def room(self) -> int:
        """How many messages are taken for certain, whether they can be sent now or not.

        None after the end of a stream until the peer has confirmed it, if it does so at all.
        """
        return self._writer.room(self)

    def offer(self, messages: Sequence[Sequence[Buffer]], is_end: bool = False) -> None:
        """Take messages, topic first, for which there is `room`. The buffers must not change any more.

        ``is_end``: there is one, and it is the end of a stream.
        """
        self._writer.offer(self, messages, is_end)

    def poll(self) -> None:
        """Go on with what was taken. Raises SinkError when the peer answers what is no answer."""
        self._writer.poll()
        if self._fault:
            raise SinkError(self._fault)

    def take_back(self) -> int:
        """Have what is not delivered not sent any more, nor waited for; how many messages that is."""
        count = self._writer.take_back(self)
        self.offered -= count
        self.awaits_end = False
        return count

    def close(self) -> None:
        """Take back what has not been sent, and leave the socket to the others. Idempotent."""
        if not self.is_closed:
            self.is_closed = True
            self._writer.leave(self)

    def fail(self, fault: str) -> None:
        """The writer can't deliver: told by the next `poll`."""
        self._fault = fault
