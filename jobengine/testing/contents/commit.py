"""One commit to the store in memory: what each write does, and how all of it is undone."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec

from jobengine.contents.planes import are_new
from jobengine.contents.refusals import id_taken, no_element, pts_taken, stream_gone
from jobengine.ids import new_element_id
from jobengine.model.element import ElementKind, PayloadState, StoredElement
from jobengine.ports.contents import (
    DeleteDocument,
    DeleteElements,
    DropPayloads,
    DropStream,
    KeepPayload,
    LimitStream,
    Outcome,
    PutDocument,
    PutElement,
    PutMode,
    PutPlanes,
    Write,
)
from jobengine.testing.contents.documents import MemoryDocuments, Undo
from jobengine.testing.contents.expiry import Pin
from jobengine.testing.contents.stream import Held, MemoryStream


@dataclass(slots=True)
class MemoryState:
    """All that a store in memory holds."""

    streams: dict[int, MemoryStream] = field(default_factory=dict)
    documents: MemoryDocuments = field(default_factory=MemoryDocuments)
    pins: dict[str, Pin] = field(default_factory=dict)

    def stream(self, number: int) -> MemoryStream:
        """A stream to look into; an empty one if it isn't there."""
        return self.streams.get(number) or MemoryStream(number)

    def must_have(self, streams: Set[int]) -> None:
        """Raises StreamGone."""
        if not streams <= self.streams.keys():
            raise stream_gone(streams - self.streams.keys())


class MemoryCommit:
    """Does writes at once, and remembers how to undo them."""

    def __init__(self, state: MemoryState, now_us: int) -> None:
        self._state = state
        self._now_us = now_us
        self._undo: list[Undo] = []

    def undo(self) -> None:
        """Put everything back as it was, the last write first."""
        while self._undo:
            self._undo.pop()()

    def do(self, write: Write) -> Outcome:
        """Do one write."""
        match write:
            case PutElement():
                return self._put_element(write, self._state.streams[write.stream])
            case PutPlanes():
                return self._put_planes(write)
            case KeepPayload():
                return self._keep_payload(write)
            case DeleteElements():
                return self._delete_elements(write)
            case DropPayloads():
                return self._drop_payloads(write)
            case LimitStream():
                return self._limit_stream(write)
            case DropStream():
                return self._drop_stream(write)
            case PutDocument():
                return self._state.documents.put(write, self._undo)
            case DeleteDocument():
                return self._state.documents.delete(write, self._undo)

    def _put_element(self, write: PutElement, stream: MemoryStream) -> Outcome:
        element = write.element
        known = stream.by_id(element.element_id) if element.element_id else None
        if write.mode is PutMode.APPEND:
            return _outcome(known, changed=0) if known else self._append(write, stream)
        there = None if element.pts is None else stream.last_at(element.pts, element.kind)
        if there and write.mode is PutMode.CREATE:
            raise pts_taken(element.kind, element.pts)
        if there:
            return self._put(_with_payload(there.described_by(element), write), stream)
        if known:
            raise id_taken(element.element_id, known.stored.element.pts)
        return self._append(write, stream)

    def _append(self, write: PutElement, stream: MemoryStream) -> Outcome:
        sequence = stream.next_sequence
        stream.next_sequence += 1
        self._undo.append(lambda: setattr(stream, "next_sequence", sequence))
        element = msgspec.structs.replace(
            write.element,
            pts=sequence if write.element.pts is None else write.element.pts,
            element_id=write.element.element_id or new_element_id(),
        )
        stored = StoredElement(write.stream, sequence, element, self._now_us, PayloadState.NEVER, ())
        return self._put(_with_payload(Held(stored, None, None), write), stream)

    def _put(self, held: Held, stream: MemoryStream) -> Outcome:
        previous = stream.put(held)
        if previous is None:
            self._undo.append(lambda: stream.remove(held.stored.sequence))
        else:
            self._undo.append(lambda: stream.put(previous))
        return _outcome(held, created=previous is None)

    def _put_planes(self, write: PutPlanes) -> Outcome:
        stream = self._state.stream(write.stream)
        there = stream.last_at(write.pts, ElementKind(write.kind))
        if there is None:
            raise no_element(write.kind, write.pts)
        planes = list(there.planes or ())
        is_new = are_new(write.planes, [len(plane) for plane in planes])
        planes += [b""] * (max(write.planes) + 1 - len(planes))
        for place, buffer in write.planes.items():
            planes[place] = bytes(buffer)
        outcome = self._put(there.with_payload(tuple(planes), write.expires_us), stream)
        return msgspec.structs.replace(outcome, created=is_new)

    def _keep_payload(self, write: KeepPayload) -> Outcome:
        stream = self._state.stream(write.stream)
        there = stream.last_at(write.pts, ElementKind(write.kind))
        if there is None or there.expires_us is None or there.expires_us >= write.until_us:
            return Outcome(created=False, changed=0)
        return self._put(replace(there, expires_us=write.until_us), stream)

    def _delete_elements(self, write: DeleteElements) -> Outcome:
        stream = self._state.stream(write.stream)
        found = _between(stream, write)
        for held in found:
            stream.remove(held.stored.sequence)
            self._undo.append(partial(stream.put, held))
        return Outcome(created=False, changed=len(found))

    def _drop_payloads(self, write: DropPayloads) -> Outcome:
        stream = self._state.stream(write.stream)
        pins = [pin for pin in self._state.pins.values() if pin.until_us > self._now_us]
        changed = 0
        for held in _between(stream, write):
            if held.stored.payload is PayloadState.HERE and not any(pin.holds(held) for pin in pins):
                self._put(held.without_payload(), stream)
                changed += 1
        return Outcome(created=False, changed=changed)

    def _limit_stream(self, write: LimitStream) -> Outcome:
        streams = self._state.streams
        if write.stream not in streams:
            streams[write.stream] = MemoryStream(write.stream)
            self._undo.append(lambda: streams.pop(write.stream))
        stream = streams[write.stream]
        before = (stream.payload_age_us, stream.payload_limit_bytes)
        self._undo.append(lambda: stream.limit(*before))
        stream.limit(write.payload_age_us, write.payload_bytes)
        return Outcome(created=False, changed=1)

    def _drop_stream(self, write: DropStream) -> Outcome:
        state, pins = self._state, self._state.pins
        dropped = state.streams.pop(write.stream, None)
        if dropped is None:
            return Outcome(created=False, changed=0)
        state.pins = {name: pin for name, pin in pins.items() if pin.stream != write.stream}
        self._undo.append(lambda: setattr(state, "pins", pins))
        self._undo.append(lambda: state.streams.update({write.stream: dropped}))
        return Outcome(created=False, changed=dropped.facts().count)


def _between(stream: MemoryStream, write: DeleteElements | DropPayloads) -> list[Held]:
    found = stream.ranked(*stream.between(write.first_pts, write.last_pts))
    return [held for held in found if write.kind in (None, held.stored.element.kind)]


def _with_payload(held: Held, write: PutElement) -> Held:
    if not write.planes:
        return held
    return held.with_payload(tuple(bytes(plane) for plane in write.planes), write.expires_us)


def _outcome(held: Held, created: bool = False, changed: int = 1) -> Outcome:
    element = held.stored.element
    return Outcome(created, changed, held.stored.sequence, element.pts, element.element_id)
