"""Sinks of re-streamed elements as documents: where to, and with which limits.

By the beginning of its URL a sink is a socket (`jobengine.model.socket_url`), ``content:NAME/INDEX`` (a
stream of a content in the same store), ``file:PATH`` (lines of `jobengine.model.beam.element_lines`) or a
stream of another service (`jobengine.model.push`). Options that a kind has no use for are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Literal
from urllib.parse import unquote

from pydantic import Field

from jobengine.errors import Fault
from jobengine.model.beam.element_lines import ENDING
from jobengine.model.casing import CamelModel
from jobengine.model.push import PushPlace, push_place
from jobengine.model.roots import MediaRoots, PathRefused
from jobengine.model.socket_options import SinkOptions
from jobengine.model.socket_url import SocketUrlRefused, sink_url

MAX_WAIT_MS = 3_600_000
MAX_RETRIES = 1000
MAX_HWM = 1_000_000
MAX_INFLIGHT = 100_000
_FILE = re.compile(r"file:(?://(?=/))?(?P<path>[^?#\s]+)", re.IGNORECASE)
_PUSH_OPTIONS = frozenset({"send_timeout_ms", "receive_timeout_ms"})
_CONTENT = re.compile(r"content:(?P<name>[^/\s\x00-\x1f\x7f]+)(?:/(?P<stream>\d{1,5}))?")


class SinkKind(Enum):
    """What stands behind a sink's URL."""

    SOCKET = "socket"
    CONTENT = "content"
    FILE = "file"
    HTTP = "http"


class SinkTerms(CamelModel):
    """Limits of a socket; the defaults are those of Savant Replay. Of another service: the two timeouts.

    Timeouts are of one attempt; when the retries are used up the element is overdue, and the job's
    ``maxDeliveryMs`` decides.
    """

    send_timeout_ms: int = Field(
        1000, ge=1, le=MAX_WAIT_MS, description="How long one attempt to send may take."
    )
    send_retries: int = Field(3, ge=0, le=MAX_RETRIES, description="Further attempts.")
    receive_timeout_ms: int = Field(1000, ge=1, le=MAX_WAIT_MS, description="How long to wait for an answer.")
    receive_retries: int = Field(3, ge=0, le=MAX_RETRIES, description="Further waits.")
    send_hwm: int = Field(1000, ge=1, le=MAX_HWM, description="How many messages wait in the socket at most.")
    receive_hwm: int = Field(
        1000, ge=1, le=MAX_HWM, description="How many answers wait in the socket at most."
    )
    inflight_ops: int = Field(
        100, ge=1, le=MAX_INFLIGHT, description="How many messages may be without an answer."
    )
    ready_wait_ms: int = Field(
        1000,
        ge=0,
        le=MAX_WAIT_MS,
        description="How long a pub socket waits for a subscriber before it sends anyway.",
    )
    codec: Literal["native", "savant"] = Field(
        "native", description="How elements are written: our own messages, or those of Savant."
    )

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

    url: str | None = Field(
        None,
        min_length=1,
        max_length=2000,
        description="A socket, content:NAME/INDEX, file:PATH, or a stream of another service.",
    )
    options: SinkTerms | None = Field(None, description="Limits; left out, the defaults.")


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
        raise ValueError(f"{url!r} is not of the form content:NAME/INDEX")
    return match["name"], int(match["stream"] or 0)


def path_of(url: str) -> str:
    """The path of a ``file:`` URL that was checked."""
    match = _FILE.fullmatch(url)
    if match is None:
        raise ValueError(f"{url!r} is not of the form file:PATH")
    return unquote(match["path"])


def place_of(url: str) -> PushPlace:
    """The stream of another service that a URL means which was checked."""
    place = push_place(url)
    if place is None:
        raise ValueError(f"{url!r} is not the address of a stream of another service")
    return place


def check_sink(spec: SinkSpec | None, roots: MediaRoots) -> Iterator[Fault]:
    """What is wrong with a sink; pointers are relative to it."""
    if spec is None or spec.url is None:
        text = (
            "is missing; a socket such as dealer+connect:tcp://HOST:PORT, content:NAME/INDEX, "
            f"file:NAME{ENDING}, or http://HOST:PORT/beams/NAME/INDEX"
        )
        yield Fault("/url", text)
        return
    kind = kind_of_sink(spec.url)
    detail = _url_fault(spec.url, kind, roots)
    if detail:
        yield Fault("/url", detail)
    yield from _option_faults(spec, kind)


def _option_faults(spec: SinkSpec, kind: SinkKind) -> Iterator[Fault]:
    if spec.options is None or kind is SinkKind.SOCKET:
        return
    if kind is not SinkKind.HTTP:
        yield Fault("/options", f"are for sockets and other services; a {kind.value} has none")
    elif not spec.options.model_fields_set <= _PUSH_OPTIONS:
        yield Fault("/options", "of another service are sendTimeoutMs and receiveTimeoutMs")


def _url_fault(url: str, kind: SinkKind, roots: MediaRoots) -> str:
    if kind is SinkKind.CONTENT:
        return "" if is_content(url) else "names no stream of a content; write content:NAME/0"
    try:
        if kind is SinkKind.SOCKET:
            sink_url(url)
        elif kind is SinkKind.FILE:
            return _file_fault(url, roots)
        else:
            return _push_fault(url, roots)
    except (SocketUrlRefused, PathRefused) as error:
        return str(error)
    return ""


def _file_fault(url: str, roots: MediaRoots) -> str:
    """Raises PathRefused for a path that nobody may write."""
    match = _FILE.fullmatch(url)
    if match is None:
        return f"names no file; write file:NAME{ENDING}"
    path = roots.resolve_target(unquote(match["path"]))
    return "" if path.suffix == ENDING else f"must end in {ENDING}: one element a line, as JSON"


def _push_fault(url: str, roots: MediaRoots) -> str:
    """Raises PathRefused for a service that nobody may push to."""
    if "@" in url or "?" in url:
        return "may hold no login and no query; keys of other services are the operator's to give"
    place = push_place(url)
    if place is None:
        return "names no stream of another service; write http://HOST:PORT/beams/NAME/0"
    roots.check_push(place.stream_url)
    return ""
