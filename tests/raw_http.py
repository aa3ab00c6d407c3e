"""HTTP byte by byte, for tests of what clients of libraries can't say."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from tests.waiting import PATIENCE_S

END = b"\r\n\r\n"


@dataclass(frozen=True)
class RawAnswer:
    """One answer. ``headers`` as they came, names and order too."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of a name in lower case."""
        return dict(reversed(self.headers)).get(name)

    @property
    def lasting(self) -> tuple[object, ...]:
        """What is the same when the same is asked again."""
        request_id = (self.header("x-request-id") or "no id").encode()
        headers = [(name, "" if name in ("date", "x-request-id") else text) for name, text in self.headers]
        return self.status, headers, self.body.replace(request_id, b"")


def tcp(port: int) -> socket.socket:
    """A connection to the public port of a service of this host."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def unix(path: str) -> socket.socket:
    """A connection to a Unix socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_S)
    connection.connect(path)
    return connection


def read_answer(
    connection: socket.socket, has_body: bool = True, received: bytes = b""
) -> tuple[RawAnswer, bytes]:
    """The next answer, and what was read behind it; ``received`` was read before.

    Raises ConnectionError when the connection ends before.
    """
    while END not in received:
        received += _more(connection)
    head, _, rest = received.partition(END)
    lines = head.decode("latin-1").split("\r\n")
    headers = tuple((name, text) for name, _, text in (line.partition(": ") for line in lines[1:]))
    status = int(lines[0].split()[1])
    length = int(dict(headers).get("content-length", "0")) if has_body and status != 304 else 0
    while len(rest) < length:
        rest += _more(connection)
    return RawAnswer(status, headers, rest[:length]), rest[length:]


def exchange(connection: socket.socket, request: bytes) -> RawAnswer:
    """Send one request and read its answer."""
    connection.sendall(request)
    answer, _ = read_answer(connection, has_body=not request.startswith(b"HEAD"))
    return answer


def get(path: str, *headers: str, method: str = "GET", host: str = "localhost") -> bytes:
    """A request without a body."""
    lines = (f"{method} {path} HTTP/1.1", f"Host: {host}", *headers)
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 20)
    if not data:
        raise ConnectionError("the connection has ended within an answer")
    return data
