"""Sinks of re-streamed elements as documents: where to, and with which limits.

By the beginning of its URL a sink is a socket (`jobengine.model.socket_url`) or ``content:NAME/INDEX`` (a
stream of a content in the same store). Files and other services are recognised and refused with a sentence.
Options that a kind has no use for are refused by `check_sink`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Literal

from pydantic import Field

from jobengine.errors import Fault
from jobengine.model.casing import CamelModel
from jobengine.model.socket_options import SinkOptions
from jobengine.model.socket_url import SocketUrlRefused, sink_url

MAX_WAIT_MS = 3_600_000
_CONTENT = re.compile(r"content:(?P<name>[^/\s\x00-\x1f\x7f]+)(?:/(?P<stream>\d{1,5}))?")


class SinkKind(Enum):
    """What stands behind a sink's URL."""

    SOCKET = "socket"
    CONTENT = "content"
    FILE = "file"
    HTTP = "http"


class SinkTerms(CamelModel):
    """Limits of a socket; the defaults are those of Savant Replay.

    Timeouts are of one attempt; after ``retries`` further ones the element is overdue, and the job's
    ``maxDeliveryMs`` decides. ``readyWaitMs``: how long a ``pub`` waits for a subscriber before it sends
    anyway. ``codec``: ``native`` or ``savant``.
    """

    send_timeout_ms: int = Field(1000, ge=1, le=MAX_WAIT_MS)
    send_retries: int = Field(3, ge=0, le=1000)
    receive_timeout_ms: int = Field(1000, ge=1, le=MAX_WAIT_MS)
    receive_retries: int = Field(3, ge=0, le=1000)
    send_hwm: int = Field(1000, ge=1, le=1_000_000)
    receive_hwm: int = Field(1000, ge=1, le=1_000_000)
    inflight_ops: int = Field(100, ge=1, le=100_000)
    ready_wait_ms: int = Field(1000, ge=0, le=MAX_WAIT_MS)
    codec: Literal["native", "savant"] = "native"

    def socket_options(self) -> SinkOptions:
        """What of this concerns the socket itself."""
        return SinkOptions(
            send_timeout_ms=self.send_timeout_ms,
            send_retries=self.send_retries,
            receive_timeout_ms=self.receive_timeout_ms,
            receive_retries=self.receive_retries,
            send_hwm=self.send_hwm,
            receive_hwm=self.receive_hwm,
            inflight_ops=self.inflight_ops,
        )


class SinkSpec(CamelModel):
    """Where elements go."""

    url: str | None = Field(None, min_length=1, max_length=2000)
    options: SinkTerms | None = None


def kind_of_sink(url: str) -> SinkKind:
    """What stands behind ``url``, by its beginning."""
    scheme = url.partition(":")[0].lower()
    return {
        "content": SinkKind.CONTENT,
        "file": SinkKind.FILE,
        "http": SinkKind.HTTP,
        "https": SinkKind.HTTP,
    }.get(scheme, SinkKind.SOCKET)


def is_content(url: str) -> bool:
    """Whether ``url`` names a stream of a content."""
    return _CONTENT.fullmatch(url) is not None


def content_of(url: str) -> tuple[str, int]:
    """Name and stream index of a ``content:`` URL that was checked."""
    match = _CONTENT.fullmatch(url)
    if match is None:
        raise ValueError(f"{url!r} is no content:NAME/INDEX")
    return match["name"], int(match["stream"] or 0)


def check_sink(spec: SinkSpec | None) -> Iterator[Fault]:
    """What is wrong with a sink; pointers are relative to it."""
    if spec is None or spec.url is None:
        yield Fault(
            "/url", "is missing; a socket such as dealer+connect:tcp://HOST:PORT, or content:NAME/INDEX"
        )
        return
    kind = kind_of_sink(spec.url)
    detail = _url_fault(spec.url, kind)
    if detail:
        yield Fault("/url", detail)
    if spec.options is not None and kind is not SinkKind.SOCKET:
        yield Fault("/options", f"are for sockets; a {kind.value} has none")


def _url_fault(url: str, kind: SinkKind) -> str:
    if kind is SinkKind.CONTENT and not is_content(url):
        return "names no stream of a content; right would be content:NAME/0"
    if kind in (SinkKind.FILE, SinkKind.HTTP):
        return "is no sink of this version; elements go to sockets and to contents (content:NAME/INDEX)"
    try:
        if kind is SinkKind.SOCKET:
            sink_url(url)
    except SocketUrlRefused as error:
        return str(error)
    return ""
