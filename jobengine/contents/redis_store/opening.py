"""Opening a store in Redis by its URL, and whether that server keeps what it acknowledges."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode

import structlog

from jobengine.clock import Clock
from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.store import RedisContents
from jobengine.errors import SettingsError, UnavailableError

SCHEMES: Final = ("redis", "rediss", "unix")
DEFAULT_PREFIX: Final = "jobengine"
TIMEOUT_S: Final = 10.0
OLDEST_VERSION: Final = 7
_log = structlog.get_logger()


def open_redis_store(url: str, clock: Clock, timeout_s: float = TIMEOUT_S) -> RedisContents:
    """The store at ``redis://host:port/db?prefix=...``, ``rediss://`` or ``unix:///path?db=...&prefix=...``.

    Blocks for ``timeout_s`` per try. Raises SettingsError for a URL or a server that can't serve, and
    UnavailableError if it doesn't answer. Logs a warning if the server may lose what it acknowledges.
    """
    address, prefix = split_prefix(url)
    server = RedisServer(address, timeout_s)
    try:
        check_server(server)
    except BaseException:
        server.close()
        raise
    return RedisContents(server, Keys(prefix), clock, timeout_s)


def split_prefix(url: str) -> tuple[str, str]:
    """The URL without our parameter ``prefix``, and its value. Raises SettingsError."""
    address, _, query = url.partition("?")
    scheme = address.partition("://")[0]
    if scheme not in SCHEMES:
        raise SettingsError(f"a store in Redis has a URL with {', '.join(SCHEMES)}, not {scheme!r}")
    options = dict(parse_qsl(query, keep_blank_values=True))
    prefix = options.pop("prefix", DEFAULT_PREFIX)
    if not prefix or set(prefix) & set("{}\0"):
        raise SettingsError(f"the prefix of a store in Redis is a name without braces, not {prefix!r}")
    return address + ("?" + urlencode(options) if options else ""), prefix


def check_server(server: RedisServer) -> None:
    """Refuse a server that is too old or forgets by itself; warn of one that may lose what it has."""
    facts = dict(line.split(":", 1) for line in server.call("INFO", "server").decode().split() if ":" in line)
    version = facts["redis_version"]
    if int(version.partition(".")[0]) < OLDEST_VERSION:
        raise SettingsError(f"{server.name} is Redis {version}, but {OLDEST_VERSION}.0 or Valkey is needed")
    try:
        found = server.call("CONFIG", "GET", "append*", "maxmemory*", "no-appendfsync-on-rewrite")
    except UnavailableError as refusal:
        _log.warning("contents.durability_unknown", server=server.name, reason=refusal.detail)
        return
    settings = dict(zip(found[::2], found[1::2], strict=True))
    policy = settings[b"maxmemory-policy"].decode()
    if settings[b"maxmemory"] != b"0" and policy.startswith("allkeys"):
        raise SettingsError(
            f"{server.name} has maxmemory-policy {policy}, which drops parts of "
            "the store when memory gets short: set it to noeviction"
        )
    weak = _weakness(settings)
    if weak:
        _log.warning("contents.not_durable", server=server.name, reason=weak)


def _weakness(settings: dict[bytes, bytes]) -> str:
    """What an acknowledged commit may not survive; empty: nothing."""
    if settings[b"appendonly"] != b"yes":
        return "appendonly is off: what was stored since the last snapshot is lost when Redis ends"
    if settings[b"appendfsync"] != b"always":
        return f"appendfsync is {settings[b'appendfsync'].decode()}: a power cut loses the last moments"
    if settings[b"no-appendfsync-on-rewrite"] == b"yes":
        return "no-appendfsync-on-rewrite is on: a power cut while the file is rewritten loses much"
    return ""
