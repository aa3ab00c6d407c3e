"""Transformations: contents made of others by a recipe, m sources to n targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobengine.contents.relations.derivations import (
    RENDITIONS,
    TRANSFORMATION_OF,
    TRANSFORMATIONS,
    TRANSFORMATIONS_FROM,
    refuse_circle,
    transformation_of,
)
from jobengine.contents.relations.ledger import Ledger
from jobengine.contents.relations.making import Making
from jobengine.errors import ConflictError, MalformedError
from jobengine.ids import new_id
from jobengine.model.transformation import check_recipe
from jobengine.ports.contents import DeleteDocument, PutDocument, Write

Json = Any
MAX_ENDS = 256


@dataclass(frozen=True, slots=True)
class Transformation:
    """One relation. ``sources`` are the recipe's arguments in order and may repeat. ``recipe`` is a text or
    an object; what of them can be run is told by `jobengine.model.transformation`. ``start_time_us`` and
    ``duration_us`` bound it on the time of its targets; None: no bound."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    recipe: Json = ""
    start_time_us: int | None = None
    duration_us: int | None = None
    making: Making = Making.JUST_IN_TIME


class Transformations:
    """The transformations of one store."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def create(self, wanted: Transformation) -> None:
        """Note a transformation. Raises MalformedError, NotFoundError, or ConflictError for a circle or a
        target that is made by another relation already."""
        _check(wanted)

        def decide() -> tuple[None, list[Write]]:
            self._ledger.contents((*wanted.sources, *wanted.targets))
            for target in wanted.targets:
                self._refuse_taken(target)
            refuse_circle(self._ledger, wanted.sources, wanted.targets)
            return None, self._noting(new_id(), wanted)

        self._ledger.change(decide)

    def of(self, target: str) -> Transformation | None:
        """The transformation that makes a content."""
        noted = transformation_of(self._ledger, target)
        return _from_document(noted) if noted else None

    def upstream(self, target: str, depth: int = 1) -> list[Transformation]:
        """What makes a content, and what makes the sources of that, nearest first. Raises NotFoundError."""
        return self._walk(target, depth, self._ids_to, lambda made: made.sources)

    def downstream(self, source: str, depth: int = 1) -> list[Transformation]:
        """What a content feeds, and what the targets of that feed, nearest first. Raises NotFoundError."""
        return self._walk(source, depth, self._ids_from, lambda made: made.targets)

    def delete(self, targets: Sequence[str]) -> bool:
        """Forget the transformation with exactly these targets; False if there is none."""
        return self._delete(targets[0], set(targets)) if targets else False

    def delete_of(self, target: str) -> bool:
        """Forget the transformation that makes a content, for all its targets; False if there is none."""
        return self._delete(target, None)

    def cleaning(self, name: str) -> list[Write]:
        """What forgets every transformation from or to a content."""
        return self._forgetting([*self._ids_from(name), *self._ids_to(name)])

    def _delete(self, target: str, exactly: set[str] | None) -> bool:
        def decide() -> tuple[bool, list[Write]]:
            found = self.of(target)
            if found is None or (exactly is not None and exactly != set(found.targets)):
                return False, []
            return True, self._forgetting(self._ids_to(target))

        return self._ledger.change(decide)

    def _refuse_taken(self, target: str) -> None:
        for collection, what in ((TRANSFORMATION_OF, "another transformation"), (RENDITIONS, "a rendition")):
            if self._ledger.read(collection, target) is not None:
                raise ConflictError(f"{target!r} is the target of {what} already; delete that first")

    def _noting(self, number: str, wanted: Transformation) -> list[Write]:
        value = {
            "sources": list(wanted.sources),
            "targets": list(wanted.targets),
            "recipe": wanted.recipe,
            "startTimeUs": wanted.start_time_us,
            "durationUs": wanted.duration_us,
            "making": wanted.making,
        }
        fed = [
            PutDocument(TRANSFORMATIONS_FROM, source, {"ids": [*self._ids_from(source), number]}, None)
            for source in dict.fromkeys(wanted.sources)
        ]
        made = [PutDocument(TRANSFORMATION_OF, target, {"id": number}, None) for target in wanted.targets]
        return [PutDocument(TRANSFORMATIONS, number, value, None), *fed, *made]

    def _forgetting(self, numbers: Sequence[str]) -> list[Write]:
        writes: list[Write] = []
        sources: dict[str, None] = {}
        for number in dict.fromkeys(numbers):
            noted = self._ledger.read(TRANSFORMATIONS, number)
            writes.append(DeleteDocument(TRANSFORMATIONS, number))
            writes += [DeleteDocument(TRANSFORMATION_OF, t) for t in (noted or {}).get("targets", [])]
            sources |= dict.fromkeys((noted or {}).get("sources", []))
        for source in sources:
            left = [i for i in self._ids_from(source) if i not in numbers]
            put = PutDocument(TRANSFORMATIONS_FROM, source, {"ids": left}, None)
            writes.append(put if left else DeleteDocument(TRANSFORMATIONS_FROM, source))
        return writes

    def _ids_from(self, source: str) -> list[str]:
        noted = self._ledger.read(TRANSFORMATIONS_FROM, source)
        return list(noted["ids"]) if noted else []

    def _ids_to(self, target: str) -> list[str]:
        noted = self._ledger.read(TRANSFORMATION_OF, target)
        return [noted["id"]] if noted else []

    def _walk(
        self,
        name: str,
        depth: int,
        ids_of: Callable[[str], list[str]],
        ends: Callable[[Transformation], Sequence[str]],
    ) -> list[Transformation]:
        self._ledger.contents((name,))
        found: dict[str, Transformation] = {}
        nearest = [name]
        for _ in range(depth):
            ids = [i for near in dict.fromkeys(nearest) for i in ids_of(near) if i not in found]
            noted = {i: self._ledger.read(TRANSFORMATIONS, i) for i in ids}
            level = {i: _from_document(value) for i, value in noted.items() if value is not None}
            if not level:
                break
            found |= level
            nearest = [end for made in level.values() for end in ends(made)]
        return list(found.values())


def _check(wanted: Transformation) -> None:
    for what, names in (("sources", wanted.sources), ("targets", wanted.targets)):
        if not 1 <= len(names) <= MAX_ENDS:
            raise MalformedError(f"{what}: names {len(names)} contents; 1 to {MAX_ENDS} are possible")
    if len(set(wanted.targets)) != len(wanted.targets):
        raise MalformedError("targets: a content can be made once only; each must be named once")
    both = sorted(set(wanted.sources) & set(wanted.targets))
    if both:
        raise MalformedError(f"targets: {both[0]!r} is a source too; a content can't be made of itself")
    if not isinstance(wanted.recipe, str | Mapping):
        raise MalformedError("recipe: must be a text or an object")
    if (wanted.duration_us or 1) <= 0:
        raise MalformedError("duration: must be more than 0 microseconds")
    check_recipe(wanted.recipe, wanted.sources, wanted.targets)


def _from_document(value: Mapping[str, Json]) -> Transformation:
    return Transformation(
        tuple(value["sources"]),
        tuple(value["targets"]),
        value["recipe"],
        value["startTimeUs"],
        value["durationUs"],
        Making(value.get("making", Making.JUST_IN_TIME)),
    )
