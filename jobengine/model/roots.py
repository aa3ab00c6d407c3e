"""Where media may be read and written: purely by the text of a path.

Links on disk are followed and checked again when a file is opened (``media/places.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from jobengine.model.push import PushTarget, is_below, target_of

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


class PathRefused(ValueError):
    """A path or URL that nobody may use; the text is a sentence for the one who posted it."""


@dataclass(frozen=True, slots=True)
class MediaRoots:
    """``base`` takes relative paths; absolute ones must lie under it or under one of ``roots``.

    Streams of other services are written below ``push_targets`` only, copies of contents beside files below
    ``copy_urls`` only: without any, nowhere.
    """

    base: PurePosixPath
    roots: tuple[PurePosixPath, ...] = ()
    url_schemes: tuple[str, ...] = ("http", "https")
    push_targets: tuple[PushTarget, ...] = ()
    copy_urls: tuple[str, ...] = ()

    @property
    def allowed(self) -> tuple[PurePosixPath, ...]:
        return (self.base, *self.roots)

    def resolve_source(self, text: str) -> PurePosixPath | str:
        """The absolute path of a file to read, or the URL as it stands. Raises `PathRefused`."""
        url = _URL.match(text)
        if not url:
            return self.resolve_target(text)
        _refuse_control_characters(text)
        if url["scheme"].lower() not in self.url_schemes:
            allowed = ", ".join(f"{scheme}://" for scheme in self.url_schemes) or "none"
            raise PathRefused(f"{url['scheme']}:// is not allowed for a source; allowed are {allowed}")
        return text

    def resolve_target(self, text: str) -> PurePosixPath:
        """The absolute path of a local file. Raises `PathRefused`."""
        if not text.strip():
            raise PathRefused("is missing; a file needs a path")
        _refuse_control_characters(text)
        if _URL.match(text):
            raise PathRefused("is a URL; a local path is needed")
        if _PROTOCOL.match(text):
            raise PathRefused("begins like a protocol (name:); give a plain path")
        path = PurePosixPath(text)
        if ".." in path.parts:
            raise PathRefused("may not contain ..")
        if not path.name or text.endswith("/"):
            raise PathRefused("names a folder; a file name is needed")
        absolute = path if path.is_absolute() else self.base / path
        if not any(root in absolute.parents for root in self.allowed):
            raise PathRefused(f"is outside the allowed folders ({', '.join(map(str, self.allowed))})")
        return absolute

    def check_copies(self, text: str) -> None:
        """Raises `PathRefused` unless copies may be made below a folder or URL."""
        below = f"{text.rstrip('/')}/copy"
        if "://" not in text:
            self.resolve_target(below)
        elif not any(is_below(below, base) for base in self.copy_urls):
            raise PathRefused("is not below a URL that the operator allows (convert.copy_urls)")

    def check_push(self, url: str) -> None:
        """Raises `PathRefused` unless the operator allows to push to ``url``."""
        if target_of(url, self.push_targets) is None:
            raise PathRefused("is not below a URL that the operator allows (engine.push_targets)")


def _refuse_control_characters(text: str) -> None:
    if _CONTROL.search(text):
        raise PathRefused("contains a control character")
