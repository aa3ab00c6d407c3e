"""API keys as clients send them: ``je_<id>_<secret>``. Of the secret a service keeps nothing but a hash."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Self

_FORM = re.compile(r"je_(?P<id>[A-Za-z0-9]+)_(?P<secret>[A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A whole key. As text it is what a client sends."""

    key_id: str
    secret: str = field(repr=False)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The key that ``text`` is; None if it can't be one."""
        match = _FORM.fullmatch(text)
        return cls(match["id"], match["secret"]) if match else None

    @property
    def secret_hash(self) -> str:
        """SHA-256 in hexadecimal. Secrets are random, so nothing slower is needed."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def __str__(self) -> str:
        return f"je_{self.key_id}_{self.secret}"
