"""Opens the contents store that a URL names; every process that uses it opens it itself."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from jobengine.clock import SystemClock
from jobengine.contents.embedded.store import EmbeddedContents
from jobengine.errors import SettingsError
from jobengine.ports.contents import ContentStore


def open_store(url: str) -> ContentStore:
    """The store at ``url``. The caller closes it.

    Raises SettingsError for a URL that names none, UnavailableError when it can't be reached.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return EmbeddedContents(Path(unquote(parts.path)), SystemClock())
    raise SettingsError(f"contents.url is {url!r}; it begins with file:/// or redis://")
