"""Posting as quickly as a server answers: keep-alive connections, one request at a time on each.

Speaks just enough HTTP/1.1 for that, so that it costs little beside the server.
"""

from __future__ import annotations

import selectors
import socket
import time

ENOUGH = 65_536


def post_many(port: int, path: str, body: bytes, clients: int, count: int) -> tuple[float, list[float]]:
    """POST ``body`` ``count`` times over ``clients`` connections; seconds, and ms of each answer."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    packed = head.encode() + body
    with selectors.DefaultSelector() as selector:
        clients = min(clients, count)
        for _ in range(clients):
            selector.register(socket.create_connection(("127.0.0.1", port)), selectors.EVENT_READ)
        sent_at: dict[int, float] = {}
        taken_ms: list[float] = []
        begun = time.perf_counter()
        for key in selector.get_map().values():
            sent_at[key.fd] = time.perf_counter()
            key.fileobj.sendall(packed)  # type: ignore[union-attr]
        left = count - clients
        while len(taken_ms) < count:
            for key, _ in selector.select(30):
                connection = key.fileobj
                _read_answer(connection)  # type: ignore[arg-type]
                now = time.perf_counter()
                taken_ms.append((now - sent_at[key.fd]) * 1000)
                if left > 0:
                    left -= 1
                    sent_at[key.fd] = now
                    connection.sendall(packed)  # type: ignore[union-attr]
        seconds = time.perf_counter() - begun
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        return seconds, taken_ms


def _read_answer(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, rest = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 201"):
        raise RuntimeError(received.decode(errors="replace"))
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0].split(b":")[1]) - len(rest)
    while left > 0:
        left -= len(_some(connection))


def _some(connection: socket.socket) -> bytes:
    received = connection.recv(ENOUGH)
    if not received:
        raise RuntimeError("the server has closed the connection")
    return received
