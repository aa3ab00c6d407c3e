"""How often contents were changed, and which ones last: one document of their store.

Every change of a content replaces the document in its own commit and asks for no revision, so nobody waits
for anybody. The revision counts the changes. In the document each name has the number that its change was
expected to be. Of two changes at once the later one took the number of the earlier one, whose name is lost:
so a number is missing, and who looks for the names knows that they are not all there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobengine.ports.contents import ContentStore, PutDocument

REMEMBERED = 32
"""Changes whose names are kept."""
_PLACE = ("counters", "changes")
_LAST = "last"


@dataclass(frozen=True, slots=True)
class LastChanges:
    """``count``: of all changes ever. ``names``: of the contents changed since an earlier count, each once;
    None if they are not all known."""

    count: int
    names: Sequence[str] | None


def count_change(store: ContentStore, name: str) -> PutDocument:
    """The write that counts a change of ``name``, for the commit that makes it. One short read."""
    found = store.document(*_PLACE)
    last: list[Any] = [] if found is None else found.value.get(_LAST, [])
    expected = 1 if found is None else found.revision + 1
    return PutDocument(*_PLACE, {_LAST: [*last[1 - REMEMBERED :], [expected, name]]}, None)


def changes_since(store: ContentStore, count: int) -> LastChanges:
    """What was changed since there were ``count`` changes: one short read.

    Look at the contents after it: what happens in between is then counted by the next one.
    """
    found = store.document(*_PLACE)
    if found is None:
        return LastChanges(0, () if count == 0 else None)
    names = {number: name for number, name in found.value.get(_LAST, ()) if number > count}
    is_all = 0 <= found.revision - count == len(names)
    return LastChanges(found.revision, tuple(dict.fromkeys(names.values())) if is_all else None)
