"""Gets payloads that are not there from equivalents, or has them made, and keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from jobengine.clock import to_us
from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import LookUp, Span, Terms, TimedStream, pts_of
from jobengine.contents.relations import Relations
from jobengine.errors import MalformedError, NotFoundError
from jobengine.model.beam.streams import time_base_of
from jobengine.model.element import PTS_MAX, Element, ElementKind, PayloadState, StoredElement
from jobengine.model.media_reference import Direct, Stamps, Times
from jobengine.model.recipe import Buffer
from jobengine.ports.contents import PutPlanes
from jobengine.worker.convert.derived.rendering import Rendering, kind_of_elements
from jobengine.worker.convert.equivalent_payloads import EquivalentPayloads
from jobengine.worker.convert.task import OpenTask

MOST = 10_000
"""Elements of a range that are got at once."""


class PayloadSearch:
    """Fills payloads of one stream. ``depth``: how many equivalents one behind the other are tried."""

    def __init__(self, task: OpenTask, name: str, index: int, depth: int, lifetime: timedelta) -> None:
        self._task = task
        self._store = task.store
        self._content: Content = task.catalogue.get(name)
        self._index = index
        self._number = self._content.stream_number(index)
        self._look_up = LookUp(task.store)
        self._clock = task.clock
        self._lifetime = lifetime
        relations = Relations(task.store, task.catalogue)
        self._equivalents = EquivalentPayloads(task, relations, depth)
        self._rendering = Rendering(task, relations, self._equivalents, self._lifetime)

    def fill(self, wanted: Direct, ahead: int = 0) -> bool:
        """Get one payload and keep it; whether it is there now. What is made is made with some ``ahead``."""
        stored = self._look_up.direct(self._number, wanted.kind, wanted.pts)
        if stored is not None and stored.payload is PayloadState.HERE:
            return True
        if stored is not None:
            planes = self._equivalents.find(self._content.name, self._index, stored)
            if planes is not None:
                self._keep(stored, planes)
                return True
        return self._rendering.fill(self._content, self._index, wanted, ahead)

    def fill_range(self, wanted: Stamps | Times) -> bool:
        """Get everything in a stretch of time, also what was never made; whether anything of it is there.

        Raises MalformedError if that is more than `MOST` elements, and NotFoundError at the first payload
        that is nowhere.
        """
        stream = self._content.streams[self._index] or {}
        timed = TimedStream(self._number, self._index, time_base_of(stream))
        span = self._look_up.span(timed, wanted, Terms())
        missing = self._missing(span, kind_of_elements(stream))
        for each in missing:
            self._task.passed()
            if not self.fill(each):
                raise NotFoundError(f"the payload of {each} of {self._content.name!r} is nowhere to be had")
        return bool(missing) or bool(self._store.range(self._number, span.first, span.last, limit=1))

    def behind(self, wanted: Direct, count: int) -> list[Direct]:
        """The elements that follow: those that are known, else those that can be made."""
        if wanted.pts == PTS_MAX or not count:
            return []
        found = self._store.range(self._number, wanted.pts + 1, PTS_MAX, limit=count)
        known = [_direct(stored) for stored in found]
        made = self._rendering.following(self._content, self._index, wanted, count)
        return sorted({*known, *made}, key=lambda each: each.pts)[:count]

    def _missing(self, span: Span, kind: ElementKind) -> list[Direct]:
        """What is known and not there, or not known and can be made."""
        if span.first > span.last:
            return []
        known = self._store.range(self._number, span.first, span.last, limit=MOST + 1)
        can_be_made = self._rendering.moments(self._content, self._index, kind, span.first, span.last + 1)
        wanted = {_direct(stored): stored.payload is PayloadState.HERE for stored in known}
        wanted |= {direct: False for pts in can_be_made if (direct := Direct(kind, pts)) not in wanted}
        if len(wanted) > MOST:
            raise MalformedError(f"the range holds more than {MOST} elements; ask for a shorter one")
        return sorted((each for each, is_here in wanted.items() if not is_here), key=lambda each: each.pts)

    def _keep(self, stored: StoredElement, planes: Sequence[Buffer]) -> None:
        element: Element = stored.element
        if element.pts is None:
            raise NotFoundError("an element without a time can't be filled in")
        numbered = dict(enumerate(planes))
        expires_us = to_us(self._clock.now() + self._lifetime)
        self._store.commit([PutPlanes(self._number, element.kind, element.pts, numbered, expires_us)])


def _direct(stored: StoredElement) -> Direct:
    return Direct(stored.element.kind, pts_of(stored))
