"""Getting as quickly as a server answers: keep-alive connections, one request at a time on each.

Answers of one run are equally long, so their bytes are counted instead of read: the client must cost less
than the server it measures.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

BUFFER_BYTES = 1 << 20


def is_up(port: int) -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class Getter:
    """GETs ``paths`` of equal length by turns, over ``clients`` connections to one server."""

    def __init__(self, port: int, paths: Sequence[str], body_bytes: int, clients: int) -> None:
        host = f"Host: 127.0.0.1:{port}\r\n\r\n"
        self._requests = [f"GET {path} HTTP/1.1\r\n{host}".encode() for path in paths]
        self._port = port
        self._clients = clients
        self._answer_bytes = self._measure(body_bytes)
        self._buffer = bytearray(BUFFER_BYTES)

    def rate(self, seconds: float) -> float:
        """Answers per second."""
        connections = {}
        with select.epoll() as epoll:
            for number in range(self._clients):
                connection = socket.create_connection(("127.0.0.1", self._port))
                connections[connection.fileno()] = connection
                epoll.register(connection, select.EPOLLIN)
                connection.sendall(self._requests[number % len(self._requests)])
            begun = time.perf_counter()
            count = self._drive(epoll, connections, begun + seconds)
            taken = time.perf_counter() - begun
        for connection in connections.values():
            connection.close()
        return count / taken

    def _drive(self, epoll: select.epoll, connections: dict[int, socket.socket], deadline: float) -> int:
        left = dict.fromkeys(connections, self._answer_bytes)
        requests, whole, buffer = self._requests, self._answer_bytes, self._buffer
        count, paths = 0, len(requests)
        while time.perf_counter() < deadline:
            for number, _ in epoll.poll(10):
                connection = connections[number]
                received = connection.recv_into(buffer)
                if not received:
                    raise RuntimeError("the server has closed a connection")
                left[number] -= received
                if left[number] <= 0:
                    count += 1
                    left[number] = whole
                    connection.send(requests[count % paths])
        return count

    def _measure(self, body_bytes: int) -> int:
        """How long an answer is. Raises RuntimeError if it is not the one expected."""
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(self._requests[0])
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(BUFFER_BYTES)
            head, _, _ = received.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200") or str(body_bytes).encode() not in head:
                raise RuntimeError(head.decode(errors="replace"))
            return len(head) + 4 + body_bytes
