"""Who asks, and may they? API keys with the roles viewer < operator < admin.

A service that listens on loopback and has no key is open: whoever asks is ``local`` with the role admin.
As soon as one key exists, or beyond loopback, every call needs one. Keys are read again after a second: a
revoked one works no longer.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from jobengine.clock import Clock, to_text
from jobengine.errors import AuthenticationError, ForbiddenError
from jobengine.model.api_key import ApiKey

_FRESH_NS = 1_000_000_000


class Role(IntEnum):
    """What a key may do; a higher one may do all that a lower one may."""

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class Given(Protocol):
    """Headers of a request, or those of them that tell a key."""

    def get(self, name: str, /) -> str | None: ...


class StoredKey(Protocol):
    """A key as it is stored: the hash of its secret, in hexadecimal."""

    @property
    def key_id(self) -> str: ...
    @property
    def secret_hash(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def expires_time(self) -> str | None: ...
    @property
    def revoked_time(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: the name stands in the history of what they do."""

    name: str
    role: Role

    def need(self, role: Role) -> None:
        """Raises ForbiddenError if this one may not do what ``role`` may."""
        if self.role < role:
            raise ForbiddenError(
                f"this needs the role {role.name.lower()}; {self.name!r} has {self.role.name.lower()}",
                needed=role.name.lower(),
            )


LOCAL = Actor("local", Role.ADMIN)
_NOBODYS = ApiKey("", "")


class Gate:
    """Finds out who asks. Thread-safe."""

    def __init__(self, read_keys: Callable[[], Iterable[StoredKey]], clock: Clock, is_loopback: bool) -> None:
        self._read_keys = read_keys
        self._clock = clock
        self._is_loopback = is_loopback
        self._lock = threading.Lock()
        self._keys: dict[str, StoredKey] = {}
        self._read_at_ns: int | None = None

    def actor(self, headers: Given) -> Actor:
        """Who sent these headers. A wrong key is refused even where none is needed.

        Raises AuthenticationError.
        """
        keys = self._fresh_keys()
        given = _given_key(headers)
        if given is None:
            if self._is_loopback and not keys:
                return LOCAL
            raise AuthenticationError("send an API key: 'Authorization: Bearer je_…' or 'X-API-Key: je_…'")
        return self._check(given, keys)

    @property
    def fresh_until_ns(self) -> int:
        """Until when, by the monotonic clock, what `actor` said last holds."""
        return (self._read_at_ns or 0) + _FRESH_NS

    def _check(self, given: str, keys: dict[str, StoredKey]) -> Actor:
        sent = ApiKey.read(given) or _NOBODYS
        key = keys.get(sent.key_id)
        is_same = hmac.compare_digest(sent.secret_hash, key.secret_hash if key else _NOBODYS.secret_hash)
        if key is None or not is_same:
            raise AuthenticationError("this key is not known here")
        if key.revoked_time is not None:
            raise AuthenticationError("this key was revoked")
        if key.expires_time is not None and key.expires_time <= to_text(self._clock.now()):
            raise AuthenticationError("this key has expired")
        return Actor(key.name or key.key_id, Role[key.role.upper()])

    def _fresh_keys(self) -> dict[str, StoredKey]:
        now_ns = self._clock.monotonic_ns()
        if self._is_fresh(now_ns):
            return self._keys
        with self._lock:
            if not self._is_fresh(now_ns):
                self._keys = {key.key_id: key for key in self._read_keys()}
                self._read_at_ns = now_ns
            return self._keys

    def _is_fresh(self, now_ns: int) -> bool:
        return self._read_at_ns is not None and now_ns - self._read_at_ns <= _FRESH_NS


def _given_key(headers: Given) -> str | None:
    scheme, _, credentials = (headers.get("Authorization") or "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer":
            raise AuthenticationError(f"the scheme {scheme[:20]!r} is not supported; use Bearer")
        return credentials.strip()
    return headers.get("X-API-Key")
