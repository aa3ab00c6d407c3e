"""Equivalent contents: the same bytes elsewhere. Pairs, symmetric; longer ways are found by depth."""

from __future__ import annotations

from jobengine.contents.relations.ledger import Ledger
from jobengine.errors import MalformedError
from jobengine.ports.contents import DeleteDocument, PutDocument, Write

_EQUIVALENTS = "equivalents"


class Equivalents:
    """The pairs of one store."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def create(self, name: str, other: str) -> bool:
        """Note a pair; False if it is known. Raises MalformedError or NotFoundError."""
        if name == other:
            raise MalformedError(f"{name!r} can't be the equivalent of itself; name another content")

        def decide() -> tuple[bool, list[Write]]:
            self._ledger.contents((name, other))
            ours, theirs = self._direct(name), self._direct(other)
            if other in ours:
                return False, []
            return True, [_noted(name, [*ours, other]), _noted(other, [*theirs, name])]

        return self._ledger.change(decide)

    def query(self, name: str, depth: int = 1) -> list[str]:
        """Equivalents that at most ``depth`` pairs lead to, nearest first, never ``name`` itself.

        Raises NotFoundError.
        """
        self._ledger.contents((name,))
        found: dict[str, None] = {name: None}
        nearest = [name]
        for _ in range(depth):
            nearest = [n for known in nearest for n in self._direct(known) if n not in found]
            if not nearest:
                break
            found |= dict.fromkeys(nearest)
        return [other for other in found if other != name]

    def delete(self, name: str, other: str) -> bool:
        """Forget a pair; longer ways stay. False if it is not known."""

        def decide() -> tuple[bool, list[Write]]:
            if other not in self._direct(name):
                return False, []
            return True, [self._without(name, other), self._without(other, name)]

        return self._ledger.change(decide)

    def cleaning(self, name: str) -> list[Write]:
        """What forgets every pair of a content."""
        others = self._direct(name)
        return (
            [DeleteDocument(_EQUIVALENTS, name), *(self._without(o, name) for o in others)] if others else []
        )

    def _direct(self, name: str) -> list[str]:
        noted = self._ledger.read(_EQUIVALENTS, name)
        return list(noted["names"]) if noted else []

    def _without(self, name: str, other: str) -> Write:
        return _noted(name, [n for n in self._direct(name) if n != other])


def _noted(name: str, others: list[str]) -> Write:
    if not others:
        return DeleteDocument(_EQUIVALENTS, name)
    return PutDocument(_EQUIVALENTS, name, {"names": others}, None)
