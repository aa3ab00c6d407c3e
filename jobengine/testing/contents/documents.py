"""Documents held in memory, in the order of their keys.

Knows nothing of commits and locks: whoever changes a document is given how to undo that.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, takewhile

import msgspec
from sortedcontainers import SortedDict

from jobengine.contents.checks import document_json
from jobengine.contents.refusals import must_match
from jobengine.ports.contents import DeleteDocument, Document, Outcome, PutDocument

Undo = Callable[[], object]


class MemoryDocuments:
    """JSON and revision by collection and key."""

    def __init__(self) -> None:
        self._rows: SortedDict = SortedDict()

    def find(self, collection: str, key: str) -> Document | None:
        """One document."""
        row = self._rows.get((collection, key))
        return None if row is None else Document(collection, key, msgspec.json.decode(row[0]), row[1])

    def page(self, collection: str, after: str | None, limit: int | None) -> list[Document]:
        """Documents in order of their keys, those after ``after``."""
        first = (collection, "" if after is None else after)
        places = self._rows.irange(first, inclusive=(after is None, True))
        own = takewhile(lambda place: place[0] == collection, places)
        found = (self.find(*place) for place in islice(own, limit))
        return [document for document in found if document is not None]

    def put(self, write: PutDocument, undo: list[Undo]) -> Outcome:
        """Create or replace. Raises RevisionMismatch and MalformedError."""
        revision = self._matching_revision(write)
        row = (document_json(write), revision + 1)
        self._set((write.collection, write.key), row, undo)
        return Outcome(created=not revision, changed=1, revision=revision + 1)

    def delete(self, write: DeleteDocument, undo: list[Undo]) -> Outcome:
        """Remove. Raises RevisionMismatch."""
        revision = self._matching_revision(write)
        if not revision:
            return Outcome(created=False, changed=0)
        self._set((write.collection, write.key), None, undo)
        return Outcome(created=False, changed=1, revision=revision)

    def _matching_revision(self, write: PutDocument | DeleteDocument) -> int:
        there = self._rows.get((write.collection, write.key))
        revision: int = there[1] if there else 0
        must_match(write.collection, write.key, revision, write.expected_revision)
        return revision

    def _set(self, place: tuple[str, str], row: tuple[bytes, int] | None, undo: list[Undo]) -> None:
        before = self._rows.pop(place, None)
        if row is not None:
            self._rows[place] = row
        undo.append(lambda: self._restore(place, before))

    def _restore(self, place: tuple[str, str], row: tuple[bytes, int] | None) -> None:
        self._rows.pop(place, None)
        if row is not None:
            self._rows[place] = row
