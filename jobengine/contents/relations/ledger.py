"""Changes of relations, one after the other, whoever makes them.

Whether a relation may be made depends on all others (no circle at any depth), so every change replaces one
guard document at the revision that was read before the decision: of two that race, the second decides again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from jobengine.contents.catalogue import Catalogue, Content
from jobengine.errors import ConflictError, NotFoundError, RevisionMismatch
from jobengine.ports.contents import ContentStore, PutDocument, Write

Json = Any
Result = TypeVar("Result")
_GUARD = ("relations", "guard")
_RACES = 100


class Ledger:
    """Reads relations and commits their changes. Thread-safe; several processes may share a store."""

    def __init__(self, store: ContentStore, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue

    def change(self, decide: Callable[[], tuple[Result, list[Write]]]) -> Result:
        """Commit what ``decide`` wants written and return its result; nothing to write is no commit.

        ``decide`` only reads, and is asked again when another change came between. Raises what it raises,
        and ConflictError when others are faster a hundred times.
        """
        for _ in range(_RACES):
            guard = self.guard()
            result, writes = decide()
            if not writes:
                return result
            try:
                self._store.commit([guard, *writes])
            except RevisionMismatch:
                continue
            return result
        raise ConflictError(f"relations were changed by others {_RACES} times meanwhile; try again")

    def guard(self) -> PutDocument:
        """The write that goes with every change, made before anything that the change depends on is read."""
        found = self._store.document(*_GUARD)
        changes = found.value["changes"] if found else 0
        return PutDocument(*_GUARD, {"changes": changes + 1}, found.revision if found else 0)

    def read(self, collection: str, name: str) -> Mapping[str, Json] | None:
        """What is noted under a name."""
        found = self._store.document(collection, name)
        return None if found is None else found.value

    def contents(self, names: Iterable[str]) -> list[Content]:
        """The contents of these names. Raises NotFoundError naming every one that is missing."""
        found = {name: self._catalogue.find(name) for name in names}
        missing = [repr(name) for name, content in found.items() if content is None]
        if missing:
            text = f"there is no content {missing[0]}" if len(missing) == 1 else ""
            raise NotFoundError(text or f"there are no contents {' and '.join(missing)}")
        return [content for content in found.values() if content is not None]
