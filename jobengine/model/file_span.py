"""Bytes that lie in a file in one piece, and how the http process tells the proxy before it of them.

The proxy marks a request with ``ASK`` and a secret that both know. An answer whose body is in a file then
comes without the body, and with ``TELL``: the secret, and where the body is. Nothing is opened here.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

ASK = "x-jobengine-ask-file"
TELL = "x-jobengine-file"


@dataclass(frozen=True, slots=True)
class FileSpan:
    """``length`` bytes from ``offset`` on. The file may be unlinked, but is never written there again."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class BodyInFile:
    """The body of an answer. The answer holds for further requests with the same head as long as ``version``
    is the contents store's, and until ``until_ns`` of the host's monotonic clock."""

    span: FileSpan
    version: int
    until_ns: int

    def to_header(self) -> str:
        """As the text of a header."""
        span = self.span
        numbers = (span.offset, span.length, self.version, self.until_ns)
        return " ".join((*map(str, numbers), quote(span.path)))

    @classmethod
    def from_header(cls, text: str) -> BodyInFile:
        """What `to_header` wrote. Raises ValueError for anything else."""
        offset, length, version, until_ns, path = text.split()
        return cls(FileSpan(unquote(path), int(offset), int(length)), int(version), int(until_ns))
