"""Recipe ``retrieveCopy``: a payload that is not there, from wherever it can be had.

Equivalents first, by what they cost: contents of this store, then folders, then object stores, nearer ones
before farther. Then, if the content is a rendition that is made just in time, it is made of its source. What
was found is kept with a fresh lifetime, and the next elements are warmed. If nothing is found the recipe
declines, so the answer stays what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from jobengine.clock import to_us
from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import LookUp
from jobengine.contents.relations import Relations
from jobengine.errors import NotFoundError
from jobengine.model.casing import CamelModel
from jobengine.model.element import PTS_MAX, Element, PayloadState, StoredElement
from jobengine.model.media_reference import Direct, parse_reference
from jobengine.model.recipe import Buffer, Recipe, Result, Task
from jobengine.ports.contents import PutElement, PutMode, PutPlanes, Write
from jobengine.worker.convert.equivalent_payloads import EquivalentPayloads
from jobengine.worker.convert.rendering import Rendering
from jobengine.worker.convert.task import OpenTask, own


class RetrieveCopy(Recipe):
    """Fills in the payload of the one element that is referred to directly, such as ``packet_42``."""

    least_sources = most_sources = 1

    class Parameters(CamelModel):
        """``lifetimeS``: how long what was found is kept; ``depth``: how many equivalents one behind the
        other are tried; ``readAhead``: how many further elements are warmed."""

        lifetime_s: Annotated[float, Field(gt=0, le=1e9)] = 120
        depth: Annotated[int, Field(ge=1, le=100)] = 8
        read_ahead: Annotated[int, Field(ge=0, le=1000)] = 2

    def run(self, task: Task, parameters: Parameters) -> Result:
        """Nothing, if the payload is there now."""
        source = task.sources[0]
        wanted = parse_reference(source.reference)
        if not isinstance(wanted, Direct):
            return Result(is_declined=True)
        search = _Search(own(task), source.content, source.index, parameters)
        if not search.fill(wanted):
            return Result(is_declined=True)
        for following in search.behind(wanted, parameters.read_ahead):
            task.passed()
            search.fill(following)
        return Result()


class _Search:
    """Fills payloads of one stream."""

    def __init__(self, task: OpenTask, name: str, index: int, parameters: RetrieveCopy.Parameters) -> None:
        self._store = task.store
        self._content: Content = task.catalogue.get(name)
        self._index = index
        self._number = self._content.stream_number(index)
        self._look_up = LookUp(task.store)
        self._clock = task.clock
        self._lifetime = timedelta(seconds=parameters.lifetime_s)
        relations = Relations(task.store, task.catalogue)
        self._equivalents = EquivalentPayloads(task, relations, parameters.depth)
        self._rendering = Rendering(task, relations, self._equivalents)

    def fill(self, wanted: Direct) -> bool:
        """Get one payload and keep it; whether it is there now."""
        stored = self._look_up.direct(self._number, wanted.kind, wanted.pts)
        if stored is not None and stored.payload is PayloadState.HERE:
            return True
        if stored is not None:
            planes = self._equivalents.find(self._content.name, self._index, stored)
            if planes is not None:
                self._keep(stored, planes)
                return True
        made = self._rendering.make(self._content, self._index, wanted)
        if made is None:
            return False
        element, planes = made
        if stored is not None:
            self._keep(stored, planes)
        else:
            self._commit(PutElement(self._number, element, planes, PutMode.REPLACE, self._expires_us()))
        return True

    def behind(self, wanted: Direct, count: int) -> list[Direct]:
        """The elements that follow, as far as they are known."""
        if wanted.pts == PTS_MAX or not count:
            return []
        found = self._store.range(self._number, wanted.pts + 1, PTS_MAX, limit=count)
        return [Direct(stored.element.kind, stored.element.pts or 0) for stored in found]

    def _keep(self, stored: StoredElement, planes: Sequence[Buffer]) -> None:
        element: Element = stored.element
        if element.pts is None:
            raise NotFoundError("an element without a time can't be filled in")
        numbered = dict(enumerate(planes))
        self._commit(PutPlanes(self._number, element.kind, element.pts, numbered, self._expires_us()))

    def _commit(self, write: Write) -> None:
        self._store.commit([write])

    def _expires_us(self) -> int:
        return to_us(self._clock.now() + self._lifetime)
