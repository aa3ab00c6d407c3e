"""Opens the contents store that a URL names; every process that uses it opens it itself.

``file:///folder`` is the embedded store, ``redis://``, ``rediss://`` and ``unix://`` one in Redis or Valkey.
``?commit_interval_ms=`` of a folder is how long commits may wait for others to share a sync.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from jobengine.clock import SystemClock
from jobengine.contents.embedded import EmbeddedContents, EmbeddedOptions
from jobengine.errors import SettingsError
from jobengine.ports.contents import ContentStore

REDIS = ("redis", "rediss", "unix")
INTERVAL = "commit_interval_ms"


def open_store(url: str) -> ContentStore:
    """The store at ``url``. The caller closes it.

    Raises SettingsError for a URL that names none, UnavailableError when it can't be reached.
    """
    parts = urlsplit(url)
    if parts.scheme in REDIS:
        from jobengine.contents.redis_store.opening import open_redis_store  # only where it is used

        return open_redis_store(url, SystemClock())
    if parts.scheme != "file" or parts.netloc or not parts.path:
        raise SettingsError(f"contents.url is {url!r}; it begins with file:/// or {'://, '.join(REDIS)}://")
    return EmbeddedContents(Path(unquote(parts.path)), SystemClock(), _options(url, parts.query))


def _options(url: str, query: str) -> EmbeddedOptions:
    given = parse_qs(query)
    interval = given.pop(INTERVAL, None)
    if given:
        raise SettingsError(f"contents.url {url!r} has unknown parameters: {', '.join(sorted(given))}")
    if interval is None:
        return EmbeddedOptions()
    try:
        return EmbeddedOptions(interval_ms=float(interval[-1]))
    except ValueError:
        raise SettingsError(f"{INTERVAL} of contents.url is a number, not {interval[-1]!r}") from None
