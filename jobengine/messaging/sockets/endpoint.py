"""One ZeroMQ socket, bound or connected as its URL says, that knows how many peers it has.

Messages go through the methods of pyzmq's backend: those above it take most of the time of a message.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import zmq
from zmq.utils.monitor import parse_monitor_message

from jobengine.errors import MediaError
from jobengine.model.socket_url import SocketUrl

ZERO_COPY_BYTES: Final = 65_536
"""Letting go of a buffer that was not copied costs more than copying less than this."""

_EVENTS = int(zmq.EVENTS)
_POLLIN = int(zmq.POLLIN)
_DONTWAIT = int(zmq.DONTWAIT)
_DONTWAIT_MORE = int(zmq.DONTWAIT | zmq.SNDMORE)
_RECONNECT_MS = 50
_RECONNECT_MAX_MS = 1000
_MESSAGE_BYTES_MAX = 1 << 30
_FOLDER_MODE = 0o755


class Endpoint:
    """Owns its socket. Used by one thread. Raises MediaError if the socket can't be opened."""

    def __init__(
        self, context: zmq.Context[Any], url: SocketUrl, kind: int, options: Mapping[int, Any], ipc_mode: int
    ) -> None:
        self.url = url
        self.socket: zmq.Socket[bytes] = context.socket(kind)
        for option, value in (_COMMON | dict(options)).items():
            self.socket.setsockopt(option, value)
        backend: Any = super(zmq.Socket, self.socket)
        self._send, self._recv, self._events = backend.send, backend.recv, backend.get
        self.socket.setsockopt(zmq.IPV6, int("[" in url.endpoint))
        self._monitor = self.socket.get_monitor_socket(_WATCHED)
        monitor_backend: Any = super(zmq.Socket, self._monitor)
        self._monitor_events = monitor_backend.get
        self.descriptor = int(self._monitor.getsockopt(zmq.FD))
        """Becomes readable when peers come or go."""
        self.peers = 0
        try:
            self._open(ipc_mode)
        except (zmq.ZMQError, OSError) as error:
            self.close()
            raise MediaError(f"socket {url} can't be opened: {error.strerror or error}") from error

    def look(self) -> bool:
        """Take note of peers that came and went; whether one came."""
        came = False
        while self._monitor_events(_EVENTS) & _POLLIN:
            frames = self._monitor.recv_multipart(zmq.DONTWAIT)
            if parse_monitor_message(frames)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.peers += 1
                came = True
            else:
                self.peers = max(0, self.peers - 1)
        return came

    def has_arrivals(self) -> bool:
        """Whether there may be something to receive: a late answer to a repeated request is dropped when it
        is read."""
        return bool(self._events(_EVENTS) & _POLLIN)

    def send(self, messages: Iterable[Sequence[Any]], until_bytes: int) -> tuple[int, int]:
        """Send messages until one can't be sent now, or those sent have so many bytes; how many were, and
        their bytes.

        Parts from 64 kB on are not copied, smaller ones are; a part may be a frame of zmq's. The loop is most
        of what sending takes, so it does without calls but those that send.
        """
        send, count, sent_bytes = self._send, 0, 0
        try:
            for frames in messages:
                size_bytes, left = 0, len(frames)
                for part in frames:
                    left -= 1
                    part_bytes = len(part)
                    send(part, _DONTWAIT_MORE if left else _DONTWAIT, part_bytes < ZERO_COPY_BYTES)
                    size_bytes += part_bytes
                count += 1
                sent_bytes += size_bytes
                if sent_bytes >= until_bytes:
                    break
        except zmq.Again:
            return count, sent_bytes
        return count, sent_bytes

    def receive(self) -> list[zmq.Frame]:
        """The parts of a message that is there, not copied; empty if there is none."""
        try:
            frames = [self._recv(_DONTWAIT, False, False)]
            while frames[-1].more:
                frames.append(self._recv(_DONTWAIT, False, False))
        except zmq.Again:
            return []
        return frames

    def close(self) -> None:
        """Close; what is queued is sent for a moment more. Idempotent."""
        if not self.socket.closed:
            self.socket.disable_monitor()
            self._monitor.close()
            self.socket.close()

    def _open(self, ipc_mode: int) -> None:
        if not self.url.is_bind:
            self.socket.connect(self.url.endpoint)
            return
        path = self.url.ipc_path
        if path:
            _make_room(Path(path))
        self.socket.bind(self.url.endpoint)
        if path:
            os.chmod(path, ipc_mode)


_COMMON: dict[int, Any] = {
    zmq.RECONNECT_IVL: _RECONNECT_MS,
    zmq.RECONNECT_IVL_MAX: _RECONNECT_MAX_MS,
    zmq.MAXMSGSIZE: _MESSAGE_BYTES_MAX,
}
_WATCHED = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


def _make_room(path: Path) -> None:
    """A folder for the socket, and nothing in its place but a socket: libzmq removes what is there."""
    path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(0, "there is a file there that is not a socket")
