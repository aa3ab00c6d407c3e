"""Documents as a commit will leave them, and as they lie in Redis: a stamp, the revision, JSON."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from jobengine.contents.checks import document_json
from jobengine.contents.redis_store.head import STAMP_BYTES
from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.request import Request
from jobengine.contents.redis_store.wire import Command
from jobengine.contents.refusals import must_match
from jobengine.ports.contents import DeleteDocument, Document, Outcome, PutDocument

Name = tuple[str, str]
"""Collection and key."""
_HEADER: Final = struct.Struct(f"<{STAMP_BYTES}sQ")


@dataclass(slots=True)
class _Draft:
    seen_stamp: bytes
    was_there: bool
    revision: int
    """0: it isn't there."""
    json: bytes = b""
    is_changed: bool = False


def read_document(collection: str, key: str, data: bytes | None) -> Document | None:
    """What lies in Redis as a document."""
    if not data:
        return None
    value = msgspec.json.decode(data[_HEADER.size :])
    return Document(collection, key, value, _HEADER.unpack_from(data)[1])


class DocumentDrafts:
    """The documents that one commit names."""

    def __init__(self, names: Iterable[Name], keys: Keys) -> None:
        self._keys = keys
        self._names = list(dict.fromkeys(names))
        self._drafts: dict[Name, _Draft] = {}

    def ask(self) -> list[Command]:
        """What must be read first: stamps and revisions."""
        return [("GETRANGE", self._keys.document(*name), 0, _HEADER.size - 1) for name in self._names]

    def take(self, replies: Iterable[bytes]) -> None:
        """What came back for `ask`."""
        for name, header in zip(self._names, replies, strict=True):
            stamp, revision = _HEADER.unpack(header) if header else (b"", 0)
            self._drafts[name] = _Draft(stamp, bool(header), revision)

    def put(self, write: PutDocument) -> Outcome:
        """Create or replace. Raises RevisionMismatch and MalformedError."""
        draft = self._matching(write)
        created = not draft.revision
        draft.json, draft.is_changed = document_json(write), True
        draft.revision += 1
        return Outcome(created=created, changed=1, revision=draft.revision)

    def delete(self, write: DeleteDocument) -> Outcome:
        """Remove. Raises RevisionMismatch."""
        draft = self._matching(write)
        if not draft.revision:
            return Outcome(created=False, changed=0)
        outcome = Outcome(created=False, changed=1, revision=draft.revision)
        draft.revision, draft.is_changed = 0, True
        return outcome

    def flush(self, request: Request) -> None:
        """Add all that the documents need."""
        for (collection, key), draft in self._drafts.items():
            place, index = self._keys.document(collection, key), self._keys.collection(collection)
            request.guard(place, draft.seen_stamp)
            if draft.is_changed and draft.revision:
                request.add("SET", place, _HEADER.pack(request.stamp, draft.revision) + draft.json)
                request.add("ZADD", index, 0, key.encode())
            elif draft.is_changed and draft.was_there:
                request.add("UNLINK", place)
                request.add("ZREM", index, key.encode())

    def _matching(self, write: PutDocument | DeleteDocument) -> _Draft:
        draft = self._drafts[write.collection, write.key]
        must_match(write.collection, write.key, draft.revision, write.expected_revision)
        return draft
