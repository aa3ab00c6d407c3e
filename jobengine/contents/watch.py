"""Looks at a catalogue again and again for what has changed since, whoever changed it."""

from __future__ import annotations

from jobengine.contents.catalogue import Catalogue
from jobengine.contents.changes import Change, Seen, changes, look


class CatalogueWatch:
    """One watcher of a catalogue, for one thread. It remembers some 300 bytes of each content."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._count: int | None = None
        self._seen: dict[str, Seen] = {}

    def look(self) -> list[Change]:
        """What has changed since the last look, of which the first finds nothing.

        Reads one document if nothing has changed, else the contents that have, or all if those are not known:
        at the first look, when there were more than a few, or several at once. Raises UnavailableError; then,
        or after any other error, the next look starts where this one did.
        """
        if self._count is None:
            count = self._catalogue.changes_since(0).count
            self._seen, self._count = look(self._catalogue.contents(), {}), count
            return []
        last = self._catalogue.changes_since(self._count)
        if last.names is None:
            found = self._compare(self._seen, look(self._catalogue.contents(), self._seen))
        else:
            before = {name: self._seen[name] for name in last.names if name in self._seen}
            there = filter(None, map(self._catalogue.find, last.names))
            found = self._compare(before, look(there, before))
        self._count = last.count
        return found

    def _compare(self, before: dict[str, Seen], now: dict[str, Seen]) -> list[Change]:
        """What is different between two states of the catalogue, or of a part; the later is kept."""
        found = changes(before, now)
        for name in before.keys() - now.keys():
            del self._seen[name]
        self._seen |= now
        return found
