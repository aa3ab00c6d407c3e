"""Requests sent twice: what was made under an ``Idempotency-Key``, over the documents of a store."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from jobengine.clock import Clock, to_text
from jobengine.errors import IdempotencyConflict
from jobengine.ports.contents import ContentStore, DeleteDocument, PutDocument

_REPEATS = "repeats"
_FORGOTTEN_AT_ONCE = 500


class Repeats:
    """Notes of one store. Thread-safe."""

    def __init__(self, store: ContentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(self, scope: str, key: str, request_hash: str) -> str | None:
        """The name that was made of this request before.

        Raises IdempotencyConflict if the key was used for another request.
        """
        document = self._store.document(_REPEATS, _place(scope, key))
        if document is None:
            return None
        if document.value["requestHash"] != request_hash:
            raise IdempotencyConflict(f"the Idempotency-Key {key!r} was already used for a different request")
        return str(document.value["name"])

    def note(self, scope: str, key: str, request_hash: str, name: str) -> PutDocument:
        """The write that notes it, for the commit that makes ``name``."""
        value = {"name": name, "requestHash": request_hash, "time": to_text(self._clock.now())}
        return PutDocument(_REPEATS, _place(scope, key), value, 0)

    def forget(self, before: datetime) -> int:
        """Remove notes that are older; how many."""
        limit, after, forgotten = to_text(before), None, 0
        while documents := self._store.documents(_REPEATS, after, _FORGOTTEN_AT_ONCE):
            old = [document.key for document in documents if document.value["time"] < limit]
            if old:
                self._store.commit([DeleteDocument(_REPEATS, key) for key in old])
            after, forgotten = documents[-1].key, forgotten + len(old)
        return forgotten


def _place(scope: str, key: str) -> str:
    return sha256(f"{scope}\n{key}".encode()).hexdigest()
