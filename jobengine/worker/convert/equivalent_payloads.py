"""Payloads of an element from the equivalents of its content, the cheapest first."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from jobengine.contents.look_up import LookUp
from jobengine.contents.relations import Relations
from jobengine.errors import JobEngineError, MediaError, NotFoundError
from jobengine.model.element import Element, StoredElement
from jobengine.model.recipe import Buffer
from jobengine.worker.convert.copy_places import CopyPlace, payload_path
from jobengine.worker.convert.task import OpenTask

MAX_PLANES = 64
_IN_STORE, _IN_FOLDER, _FAR = range(3)


class EquivalentPayloads:
    """Finds payloads. What can't be read is told in the job's log, and the next equivalent is tried."""

    def __init__(self, task: OpenTask, relations: Relations, depth: int) -> None:
        self._task = task
        self._relations = relations
        self._depth = depth
        self._look_up = LookUp(task.store)
        self._log = structlog.get_logger("retrieveCopy")

    def find(self, content: str, index: int, stored: StoredElement) -> Sequence[Buffer] | None:
        """The planes of an element, or None if no equivalent has them whole."""
        names = self._relations.equivalents.query(content, self._depth)
        for name in sorted(names, key=_cost):
            try:
                planes = self._read(name, index, stored.element)
            except JobEngineError as error:
                self._log.warning("equivalent.not_read", content=name, detail=error.detail)
                continue
            if planes is not None and _is_whole(planes, stored.element):
                return planes
        return None

    def _read(self, name: str, index: int, element: Element) -> Sequence[Buffer] | None:
        if _cost(name) == _IN_STORE:
            return self._from_store(name, index, element)
        place = self._task.places.known(name)
        if place is None:
            raise MediaError(f"{name} is not a place that can be read from")
        return _from_place(place, index, element)

    def _from_store(self, name: str, index: int, element: Element) -> Sequence[Buffer] | None:
        content = self._task.catalogue.get(name)
        if index >= len(content.streams) or element.pts is None:
            raise NotFoundError(f"content {name!r} has no stream {index}")
        found = self._look_up.direct(content.stream_number(index), element.kind, element.pts)
        return self._task.store.payloads([found])[0] if found is not None else None


def _from_place(place: CopyPlace, index: int, element: Element) -> Sequence[Buffer] | None:
    planes: list[Buffer] = []
    for plane in range(len(element.plane_sizes) or MAX_PLANES):
        data = place.read(payload_path(index, element.kind, element.pts or 0, plane))
        if data is None:
            break
        planes.append(data)
    return planes or None


def _cost(name: str) -> int:
    if name.startswith(("http://", "https://")):
        return _FAR
    return _IN_FOLDER if name.startswith("file:") else _IN_STORE


def _is_whole(planes: Sequence[Buffer], element: Element) -> bool:
    sizes = element.plane_sizes
    return len(planes) >= len(sizes) and all(len(p) >= size for p, size in zip(planes, sizes, strict=False))
