"""What was made of what: renditions and transformations together, as one graph without circles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jobengine.contents.relations.ledger import Ledger
from jobengine.errors import ConflictError

Json = Any
RENDITIONS = "renditions"
"""Under the target: ``source`` and what is said of the rendition."""
RENDITION_TARGETS = "rendition-targets"
"""Under the source: ``names`` of its direct renditions."""
TRANSFORMATIONS = "transformations"
"""Under an id: ``sources``, ``targets``, ``recipe``."""
TRANSFORMATION_OF = "transformation-of"
"""Under a target: the ``id`` of the transformation that makes it."""
TRANSFORMATIONS_FROM = "transformations-from"
"""Under a source: ``ids`` of the transformations that it feeds."""


def sources_of(ledger: Ledger, name: str) -> list[str]:
    """What a content is made of directly."""
    rendition = ledger.read(RENDITIONS, name)
    transformation = transformation_of(ledger, name)
    return [*([rendition["source"]] if rendition else []), *(transformation or {}).get("sources", [])]


def transformation_of(ledger: Ledger, target: str) -> Mapping[str, Json] | None:
    """The transformation that makes a content."""
    noted = ledger.read(TRANSFORMATION_OF, target)
    return ledger.read(TRANSFORMATIONS, noted["id"]) if noted else None


def refuse_circle(ledger: Ledger, sources: Iterable[str], targets: Iterable[str]) -> None:
    """Raise ConflictError if a source is made, however indirectly, of a target."""
    wanted = set(targets)
    way: dict[str, str | None] = dict.fromkeys(sources)
    ahead = list(way)
    while ahead:
        name = ahead.pop()
        if name in wanted:
            raise ConflictError(f"that would be a circle: {_told(name, way)}, which is to be made of it")
        for source in sources_of(ledger, name):
            if source not in way:
                way[source] = name
                ahead.append(source)


def _told(name: str, way: Mapping[str, str | None]) -> str:
    parts = [repr(name)]
    while (following := way[name]) is not None:
        parts.append(repr(following))
        name = following
    return " makes ".join(parts)
