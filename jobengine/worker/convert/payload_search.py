"""Gets payloads that are not there from equivalents, or has them made, and keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from jobengine.clock import to_us
from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import LookUp, Span, Terms, TimedStream, pts_of
from jobengine.contents.relations import Relations
from jobengine.errors import MalformedError, NotFoundError
from jobengine.model.beam.streams import time_base_of
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind, PayloadState, StoredElement
from jobengine.model.media_reference import LAST, Direct, Places, Stamps, Times
from jobengine.model.recipe import Buffer
from jobengine.ports.contents import PutPlanes
from jobengine.worker.convert.derived.rendering import Rendering, kind_of_elements
from jobengine.worker.convert.equivalent_payloads import EquivalentPayloads
from jobengine.worker.convert.sources import StoreSource
from jobengine.worker.convert.task import OpenTask

MOST = 10_000
"""Missing elements of a range that are got at once."""
_BEHIND = 16
"""More than any codec reorders its pictures."""


class PayloadSearch:
    """Fills payloads of one stream. ``depth``: how many equivalents one after the other are tried."""

    def __init__(self, task: OpenTask, name: str, index: int, depth: int, lifetime: timedelta) -> None:
        self._task = task
        self._store = task.store
        self._content: Content = task.catalogue.get(name)
        self._index = index
        self._number = self._content.stream_number(index)
        self._look_up = LookUp(task.store)
        self._clock = task.clock
        self._lifetime = lifetime
        self._relations = Relations(task.store, task.catalogue)
        self._equivalents = EquivalentPayloads(task, self._relations, depth)
        self._rendering = Rendering(task, self._relations, self._equivalents, self._lifetime)
        self._stream = self._content.streams[index] or {}
        self._log = structlog.get_logger("retrieveCopy")

    @property
    def may_find(self) -> bool:
        """Whether there is anything that payloads of this stream could come from."""
        return bool(self._relations.equivalents.query(self._content.name)) or self._rendering.is_derived(
            self._content, self._index
        )

    def restore(self, wanted: Direct | Stamps | Times | Places) -> None:
        """Get what can be had of a stretch, or of everything (``first-last``).

        From the key element before it on, and some after it that those inside may be made from; the rest
        stays missing. Raises MalformedError if that is more than `MOST` elements.
        """
        kind = kind_of_elements(self._stream)
        span = self._wanted_span(wanted)
        for each in self._missing(span, kind):
            self._task.passed()
            self._try(each)
        if span.first > span.last:
            return
        key = self._store.key_by_pts(self._number, span.first)
        around = list(self._missing(Span(pts_of(key), span.first), kind)) if key is not None else []
        if span.last < PTS_MAX:
            behind = self._store.range(self._number, span.last + 1, PTS_MAX, limit=_BEHIND)
            around += [_direct(each) for each in behind if each.payload is not PayloadState.HERE]
        for each in around:
            self._try(each)

    def _try(self, wanted: Direct) -> None:
        try:
            self.fill(wanted)
        except NotFoundError as error:
            self._log.warning("payload.nowhere", detail=error.detail)

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
        span = self._span(wanted)
        missing = self._missing(span, kind_of_elements(self._stream))
        for each in missing:
            self._task.passed()
            if not self.fill(each):
                raise NotFoundError(f"no source has the payload of {each} of {self._content.name!r}")
        return bool(missing) or bool(self._store.range(self._number, span.first, span.last, limit=1))

    def behind(self, wanted: Direct, count: int) -> list[Direct]:
        """The elements that follow: those that are known, else those that can be made."""
        if wanted.pts == PTS_MAX or not count:
            return []
        found = self._store.range(self._number, wanted.pts + 1, PTS_MAX, limit=count)
        known = [_direct(stored) for stored in found]
        made = self._rendering.following(self._content, self._index, wanted, count)
        return sorted({*known, *made}, key=lambda each: each.pts)[:count]

    def _wanted_span(self, wanted: Direct | Stamps | Times | Places) -> Span:
        if isinstance(wanted, Direct):
            return Span(wanted.pts, wanted.pts)
        if isinstance(wanted, Places):
            return Span(PTS_MIN, PTS_MAX) if wanted == Places(0, LAST) else Span(0, -1)
        return self._span(wanted)

    def _span(self, wanted: Stamps | Times) -> Span:
        timed = TimedStream(self._number, self._index, time_base_of(self._stream))
        return self._look_up.span(timed, wanted, Terms())

    def _missing(self, span: Span, kind: ElementKind) -> list[Direct]:
        """What is known and not there, or not known and can be made."""
        if span.first > span.last:
            return []
        source = StoreSource(self._store, self._content, self._index, "first-last")
        known = {
            _direct(stored): stored.payload is PayloadState.HERE
            for stored in source.between(span.first, span.last + 1)
        }
        can_be_made = self._rendering.moments(self._content, self._index, kind, span.first, span.last + 1)
        wanted = [each for each, is_here in known.items() if not is_here]
        wanted += [direct for pts in can_be_made if (direct := Direct(kind, pts)) not in known]
        if len(wanted) > MOST:
            raise MalformedError(f"more than {MOST} elements are missing there; ask for a shorter range")
        return sorted(wanted, key=lambda each: each.pts)

    def _keep(self, stored: StoredElement, planes: Sequence[Buffer]) -> None:
        element: Element = stored.element
        if element.pts is None:
            raise NotFoundError("an element without a time can't be filled in")
        numbered = dict(enumerate(planes))
        expires_us = to_us(self._clock.now() + self._lifetime)
        self._store.commit([PutPlanes(self._number, element.kind, element.pts, numbered, expires_us)])


def _direct(stored: StoredElement) -> Direct:
    return Direct(stored.element.kind, pts_of(stored))
