"""Which content, stream and element an address below ``/beams`` means.

Names of contents may have any character, slashes too, and a WSGI server hands over decoded paths only: there
``/beams/a%2Fb/video`` and ``/beams/a/b/video`` are the same. So an address is split where what stands before
is a content and what follows reads like a stream. A name that would make another content's address ambiguous
is refused when it is made.
"""

from __future__ import annotations

from urllib.parse import quote

from flask import Request

from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.stream_names import RELATIONS, is_stream_name
from jobengine.errors import ConflictError, NotFoundError, UnavailableError

BEAMS = "/beams"
SENT_PATH = "jobengine.sent_path"
"""Where the environment of a request keeps its path, decoded, from before it was split."""
_DEPTH = 3
"""Stream, element and payload follow the name of a content."""
_LOOKED_THROUGH = 1_000


class Addresses:
    """Splits addresses by the contents that there are. Thread-safe."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def split(self, text: str) -> list[str]:
        """The parts of what follows ``/beams/``: a content's name, then stream, element and payload."""
        text = text.removesuffix("/")
        parts = text.split("/")
        if len(parts) == 1:
            return parts
        splits = [_split(parts, at) for at in range(1, len(parts))]
        likely = [split for split in splits if split and is_stream_name(split[1])]
        bare = [[name.removesuffix(".json"), *rest] for name, *rest in likely if name.endswith(".json")]
        for split in (*likely, *bare):
            if self._exists(split[0]):
                return split
        if self._exists(text.removesuffix(".json")):
            return [text]
        possible = [split for split in splits if split]
        found = next((split for split in reversed(possible) if self._exists(split[0])), None)
        return found or next(iter([*likely, *possible]), [text])

    def content(self, name: str, *rest: str) -> Content:
        """The content of an address that reads like stream, element and payload after a name.

        Raises NotFoundError if `split` would find another.
        """
        content = self._catalogue.find(name)
        if content is None or ("/" in name and self.split("/".join((name, *rest)))[0] != name):
            raise NotFoundError(f"there is no content {name!r}")
        return content

    def check_new(self, name: str) -> None:
        """Raise ConflictError if the addresses of ``name`` would be those of streams of another content."""
        parts = name.split("/")
        for at in range(1, len(parts)):
            split = _split(parts, at)
            if split and is_stream_name(split[1]) and self._exists(split[0]):
                raise ConflictError(
                    f"{name!r} could also mean {'/'.join(split[1:])!r} of the content {split[0]!r}"
                )
        for other in self._catalogue.names_beginning(f"{name}/", _LOOKED_THROUGH):
            rest = other[len(name) + 1 :].split("/")
            if len(rest) <= _DEPTH and is_stream_name(rest[0]):
                raise ConflictError(f"{'/'.join(rest)!r} of it could also mean the content {other!r}")

    def _exists(self, name: str) -> bool:
        try:
            return self._catalogue.find(name) is not None
        except UnavailableError:
            return False  # whoever answers this request finds out, and says so


def join(name: str, *rest: str) -> str:
    """The address of a content, a stream, an element: every part encoded."""
    if not rest and name.endswith(".json"):
        name += ".json"  # one of them is dropped from the address of a content
    return "/".join((BEAMS, *(quote(part, safe="") for part in (name, *rest))))


def sent_path(request: Request) -> str:
    """The path of a request below ``/beams`` as its client sent it, decoded."""
    path: str = request.environ.get(SENT_PATH) or request.path
    return path


def _split(parts: list[str], at: int) -> list[str] | None:
    name, rest = "/".join(parts[:at]), parts[at:]
    relation = rest[0].removesuffix(".json")
    if relation in RELATIONS:
        return [name, relation, *(["/".join(rest[1:])] if len(rest) > 1 else [])]
    return [name, *rest] if name and len(rest) <= _DEPTH and all(rest) else None
