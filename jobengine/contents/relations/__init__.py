"""How contents belong together: equivalent, rendition, transformation. `Relations` is all of them."""

from __future__ import annotations

from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.relations.equivalents import Equivalents
from jobengine.contents.relations.ledger import Ledger
from jobengine.contents.relations.renditions import Renditions
from jobengine.contents.relations.transformations import Transformations
from jobengine.errors import ConflictError, RevisionMismatch
from jobengine.ports.contents import ContentStore, Write

_RACES = 100


class Relations:
    """The relations of one store. Thread-safe; races between processes are decided by the store."""

    def __init__(self, store: ContentStore, catalogue: Catalogue) -> None:
        self._ledger = Ledger(store, catalogue)
        self._catalogue = catalogue
        self.equivalents = Equivalents(self._ledger)
        self.renditions = Renditions(self._ledger)
        self.transformations = Transformations(self._ledger)

    def delete_content(self, name: str, expected_revision: int | None = None) -> Content:
        """Remove a content and every relation from or to it in one commit.

        Raises NotFoundError, or RevisionMismatch if the content is not at ``expected_revision``.
        """
        for _ in range(_RACES):
            content = self._catalogue.get(name)
            if expected_revision not in (None, content.revision):
                raise RevisionMismatch(
                    f"content {name!r} is at revision {content.revision}, not {expected_revision}"
                )
            guard = self._ledger.guard()
            try:
                return self._catalogue.delete(name, content.revision, [guard, *self._cleaning(name)])
            except RevisionMismatch:
                continue
        raise ConflictError(f"content {name!r} was changed by others {_RACES} times meanwhile; try again")

    def _cleaning(self, name: str) -> list[Write]:
        parts = (self.equivalents, self.renditions, self.transformations)
        return [write for part in parts for write in part.cleaning(name)]
