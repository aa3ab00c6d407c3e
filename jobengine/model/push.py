"""Streams of other services as targets: their URLs, and which of them the operator allows.

``http(s)://HOST[:PORT][/PREFIX]/beams/CONTENT[/INDEX]``, the name of the content percent-encoded. A URL holds
no login and no query: what is secret is in the operator's files, never in a document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_URL = re.compile(
    r"(?P<service>https?://(?P<origin>[A-Za-z0-9.\-\[\]:]+)(?:/[^\s?#\x00-\x1f\x7f]+?)?)"
    r"/beams/(?P<content>[^\s/?#\x00-\x1f\x7f]+)(?:/(?P<index>\d{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class PushTarget:
    """URLs that may be pushed to, by their beginning. ``key_file`` holds the key that is shown there; empty:
    none is."""

    url: str
    key_file: str = ""


@dataclass(frozen=True, slots=True)
class PushPlace:
    """A stream of a content of another service. ``origin`` is its scheme, host and port."""

    origin: str
    contents_url: str
    stream_url: str
    content: str
    index: int


def push_place(url: str) -> PushPlace | None:
    """The place that ``url`` means; None if it is none."""
    match = _URL.fullmatch(url)
    if match is None or not urlsplit(url).hostname:
        return None
    index = int(match["index"] or 0)
    contents = f"{match['service']}/beams"
    scheme = url.partition(":")[0]
    return PushPlace(
        f"{scheme}://{match['origin']}",
        contents,
        f"{contents}/{match['content']}/{index}",
        unquote(match["content"]),
        index,
    )


def target_of(url: str, targets: Sequence[PushTarget]) -> PushTarget | None:
    """The target that ``url`` lies below; None: nobody may push there."""
    return next((target for target in targets if is_below(url, target.url)), None)


def is_below(url: str, base: str) -> bool:
    """Whether a URL lies below another, by whole parts of its path and the same server."""
    ours, theirs = urlsplit(url), urlsplit(base)
    is_same_server = (ours.scheme, ours.netloc.lower()) == (theirs.scheme, theirs.netloc.lower())
    is_plain = not (
        ours.query or ours.fragment or "@" in ours.netloc or ".." in unquote(ours.path).split("/")
    )
    return is_same_server and is_plain and f"{ours.path}/".startswith(f"{theirs.path.rstrip('/')}/")
