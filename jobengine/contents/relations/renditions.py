"""Renditions: the same programme, coded otherwise. One source for each target, any number of targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobengine.contents.relations.derivations import (
    RENDITION_TARGETS,
    RENDITIONS,
    TRANSFORMATION_OF,
    refuse_circle,
)
from jobengine.contents.relations.ledger import Ledger
from jobengine.contents.relations.making import Making
from jobengine.contents.relations.stream_map import read_stream_map
from jobengine.errors import ConflictError, MalformedError
from jobengine.ports.contents import DeleteDocument, PutDocument, Write

Json = Any


@dataclass(frozen=True, slots=True)
class Rendition:
    """One relation. ``stream_map`` as it was given; empty: stream N is made of stream N."""

    source: str
    target: str
    stream_map: Mapping[str, Json]
    making: Making


class Renditions:
    """The trees of renditions of one store."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def create(
        self,
        source: str,
        target: str,
        stream_map: Mapping[str, Json] | None = None,
        making: Making = Making.JUST_IN_TIME,
    ) -> bool:
        """Note that ``target`` is a rendition of ``source``; False if it was one already.

        What is said of it is replaced, and a target of another source moves to this one. Raises
        MalformedError, NotFoundError, or ConflictError for a circle or the target of a transformation.
        """
        if source == target:
            raise MalformedError(f"{source!r} can't be a rendition of itself; name another source")

        def decide() -> tuple[bool, list[Write]]:
            original, made = self._ledger.contents((source, target))
            if self._ledger.read(TRANSFORMATION_OF, target) is not None:
                raise ConflictError(f"{target!r} is the target of a transformation; delete that first")
            refuse_circle(self._ledger, [source], [target])
            before = self.of(target)
            given = stream_map if stream_map is not None or before is None else before.stream_map
            read_stream_map(given or {}, original, made)
            value = {"source": source, "streamMap": dict(given or {}), "making": making}
            moved = self._moved(target, before, source)
            return before is None or before.source != source, [
                *moved,
                PutDocument(RENDITIONS, target, value, None),
            ]

        return self._ledger.change(decide)

    def of(self, target: str) -> Rendition | None:
        """The relation that a content is the target of; None for an original."""
        noted = self._ledger.read(RENDITIONS, target)
        if noted is None:
            return None
        return Rendition(noted["source"], target, noted["streamMap"], Making(noted["making"]))

    def sources(self, target: str, depth: int = 1) -> list[str]:
        """Source, source of the source and so on, nearest first. Raises NotFoundError."""
        self._ledger.contents((target,))
        found: list[str] = []
        nearest = self.of(target)
        while nearest is not None and len(found) < depth:
            found.append(nearest.source)
            nearest = self.of(nearest.source)
        return found

    def targets(self, source: str) -> list[str]:
        """Direct renditions of a content, oldest first. Raises NotFoundError."""
        self._ledger.contents((source,))
        return self._noted_targets(source)

    def delete(self, source: str, target: str) -> bool:
        """Forget a relation; False if ``target`` is not a rendition of ``source``."""

        def decide() -> tuple[bool, list[Write]]:
            noted = self.of(target)
            if noted is None or noted.source != source:
                return False, []
            return True, [DeleteDocument(RENDITIONS, target), self._without(source, target)]

        return self._ledger.change(decide)

    def cleaning(self, name: str) -> list[Write]:
        """What forgets every relation of a content; its renditions become originals."""
        writes: list[Write] = [DeleteDocument(RENDITIONS, target) for target in self._noted_targets(name)]
        if writes:
            writes.append(DeleteDocument(RENDITION_TARGETS, name))
        noted = self.of(name)
        return (
            writes
            if noted is None
            else [*writes, DeleteDocument(RENDITIONS, name), self._without(noted.source, name)]
        )

    def _moved(self, target: str, before: Rendition | None, source: str) -> list[Write]:
        if before is not None and before.source == source:
            return []
        left = [self._without(before.source, target)] if before else []
        names = [*self._noted_targets(source), target]
        return [*left, PutDocument(RENDITION_TARGETS, source, {"names": names}, None)]

    def _noted_targets(self, source: str) -> list[str]:
        noted = self._ledger.read(RENDITION_TARGETS, source)
        return list(noted["names"]) if noted else []

    def _without(self, source: str, target: str) -> Write:
        names = [name for name in self._noted_targets(source) if name != target]
        if not names:
            return DeleteDocument(RENDITION_TARGETS, source)
        return PutDocument(RENDITION_TARGETS, source, {"names": names}, None)
