"""Opens the contents store that a URL names; every process that uses it opens it itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from jobengine.clock import SystemClock
from jobengine.contents.memory import MemoryContents
from jobengine.errors import SettingsError
from jobengine.ports.contents import ContentStore


def open_store(url: str) -> ContentStore:
    """The store at ``url``. The caller closes it.

    Raises SettingsError for a URL that names none, UnavailableError when it can't be reached.
    """
    scheme = urlsplit(url).scheme
    if scheme == "file":
        return MemoryContents(SystemClock())
    raise SettingsError(f"contents.url is {url!r}; it begins with file:/// or redis://")
