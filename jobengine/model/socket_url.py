"""Socket URLs: ``[type+bind|connect:]tcp://host:port|ipc://path[:source]``, as Savant's peers write them.

Types are ``pub``, ``dealer``, ``req`` for writers and ``sub``, ``router``, ``rep`` for readers. Without
a type a writer is ``dealer+bind`` and a reader ``router+bind``. Purely text: nothing is opened here.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

IPC_PATH_BYTES_MAX: Final = 107
"""What a Unix socket address holds."""

_SCHEME = re.compile(
    r"(?:(?P<type>[^:/+]+)\+(?P<mode>[^:/+]+):)?(?P<transport>[A-Za-z0-9]+):(?P<rest>.*)", re.DOTALL
)
_TCP = re.compile(r"(?P<host>\[[^\]]*\]|[^:/\[\]]*):(?P<port>[^:]*)(?::(?P<source>.*))?", re.DOTALL)
_HOST = re.compile(r"\*|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_SOURCE_MAX = 255


class SocketUrlRefused(ValueError):
    """A socket URL that can't be used; the text is a sentence for the one who wrote it."""


class SocketType(Enum):
    """Kinds of ZeroMQ sockets, each with its only fitting peers."""

    PUB = "pub"
    DEALER = "dealer"
    REQ = "req"
    SUB = "sub"
    ROUTER = "router"
    REP = "rep"

    @property
    def is_writer(self) -> bool:
        """Whether sockets of this type send elements; the others receive them."""
        return self in _WRITERS


_WRITERS = frozenset({SocketType.PUB, SocketType.DEALER, SocketType.REQ})


@dataclass(frozen=True, slots=True)
class SocketUrl:
    """One end of a connection. ``endpoint`` is as libzmq wants it; ``source`` empty if none was named."""

    type: SocketType
    is_bind: bool
    endpoint: str
    source: str = ""

    @property
    def ipc_path(self) -> str:
        """The path of a Unix socket; empty for TCP."""
        return self.endpoint.removeprefix("ipc://") if self.endpoint.startswith("ipc://") else ""

    def __str__(self) -> str:
        tail = f":{self.source}" if self.source else ""
        return f"{self.type.value}+{'bind' if self.is_bind else 'connect'}:{self.endpoint}{tail}"


def sink_url(text: str) -> SocketUrl:
    """The URL of a job's sink: a writer that connects. Raises `SocketUrlRefused`."""
    url = writer_url(text)
    if url.is_bind:
        raise SocketUrlRefused(
            f"binds; a sink connects to a service that is there, such as dealer+connect:{url.endpoint}"
        )
    return url


def writer_url(text: str) -> SocketUrl:
    """The URL of a socket that sends. Raises `SocketUrlRefused`."""
    url = _parse(text, SocketType.DEALER)
    if not url.type.is_writer:
        raise SocketUrlRefused(f"is for reading ({url.type.value}); a writer is pub, dealer or req")
    return url


def reader_url(text: str) -> SocketUrl:
    """The URL of a socket that receives. Raises `SocketUrlRefused`."""
    url = _parse(text, SocketType.ROUTER)
    if url.type.is_writer:
        raise SocketUrlRefused(f"is for writing ({url.type.value}); a reader is sub, router or rep")
    if url.source:
        raise SocketUrlRefused(
            f"ends with a source ({url.source!r}), which only writers have; use a topic filter instead"
        )
    return url


def _parse(text: str, default: SocketType) -> SocketUrl:
    if _UNPRINTABLE.search(text):
        raise SocketUrlRefused("contains a control character")
    parts = _SCHEME.fullmatch(text)
    if parts is None:
        raise SocketUrlRefused(
            "is not a socket URL such as dealer+connect:tcp://127.0.0.1:5555 or router+bind:ipc:///tmp/in"
        )
    kind = default if parts["type"] is None else _type(parts["type"])
    is_bind = parts["mode"] is None or _is_bind(parts["mode"])
    rest = parts["rest"].removeprefix("//")
    if parts["transport"] == "tcp":
        endpoint, source = _tcp(rest, is_bind)
    elif parts["transport"] == "ipc":
        endpoint, source = _ipc(rest)
    else:
        raise SocketUrlRefused(f"has the transport {parts['transport']!r}; known are tcp and ipc")
    if len(source.encode()) > _SOURCE_MAX:
        raise SocketUrlRefused(f"names a source of more than {_SOURCE_MAX} bytes")
    return SocketUrl(kind, is_bind, endpoint, source)


def _type(word: str) -> SocketType:
    try:
        return SocketType(word)
    except ValueError:
        known = ", ".join(kind.value for kind in SocketType)
        raise SocketUrlRefused(f"has the socket type {word!r}; known are {known}") from None


def _is_bind(word: str) -> bool:
    if word not in ("bind", "connect"):
        raise SocketUrlRefused(f"has {word!r} where bind or connect is expected")
    return word == "bind"


def _tcp(rest: str, is_bind: bool) -> tuple[str, str]:
    parts = _TCP.fullmatch(rest)
    if parts is None:
        raise SocketUrlRefused("needs a host and a port, such as tcp://127.0.0.1:5555")
    host, port = parts["host"], parts["port"]
    _check_host(host, is_bind)
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise SocketUrlRefused(f"has the port {port!r}; ports are 1 to 65535")
    return f"tcp://{host}:{int(port)}", parts["source"] or ""


def _check_host(host: str, is_bind: bool) -> None:
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise SocketUrlRefused(f"has the host {host!r}, which is not an IPv6 address") from None
    elif not _HOST.fullmatch(host):
        raise SocketUrlRefused(f"has the host {host!r}; give a name or an address")
    elif host == "*" and not is_bind:
        raise SocketUrlRefused("connects to *, which is only for bind; name the peer's host")


def _ipc(rest: str) -> tuple[str, str]:
    path, _, source = rest.partition(":")
    if not path.startswith("/"):
        raise SocketUrlRefused(f"has the socket path {path!r}; it has to be absolute, such as ipc:///tmp/in")
    if ".." in path.split("/") or path.endswith("/"):
        raise SocketUrlRefused(f"has the socket path {path!r}; it has to name a socket, without ..")
    if len(path.encode()) > IPC_PATH_BYTES_MAX:
        raise SocketUrlRefused(f"has a socket path of more than {IPC_PATH_BYTES_MAX} bytes")
    return f"ipc://{path}", source
