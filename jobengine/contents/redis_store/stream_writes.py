"""What each write does to a stream's draft, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from jobengine.contents.planes import are_new
from jobengine.contents.redis_store.order import place_bytes
from jobengine.contents.redis_store.pins import Pins
from jobengine.contents.redis_store.row import NOWHERE, Place, Row, pack_row
from jobengine.contents.redis_store.stream_draft import StreamDraft, TornError
from jobengine.contents.refusals import id_taken, no_element, pts_taken
from jobengine.ids import new_element_id
from jobengine.model.element import PayloadState
from jobengine.ports.contents import (
    DeleteElements,
    DropPayloads,
    KeepPayload,
    LimitStream,
    Outcome,
    PutElement,
    PutMode,
    PutPlanes,
)


def put_element(draft: StreamDraft, write: PutElement, now_us: int) -> Outcome:
    """Append, replace or create, as the mode says. Raises ConflictError."""
    element = write.element
    pts = draft.head.next_sequence if element.pts is None else element.pts
    known = draft.sequence_of(element.element_id) if element.element_id else None
    if write.mode is PutMode.APPEND:
        return _append(draft, write, pts, now_us) if known is None else _repeated(draft, known)
    there = None if element.pts is None else draft.last_at(pts, element.kind)
    if there is not None:
        if write.mode is PutMode.CREATE:
            raise pts_taken(element.kind, pts)
        return _replace(draft, there, write)
    if known is not None:
        raise id_taken(element.element_id, _row(draft, known).element.pts)
    return _append(draft, write, pts, now_us)


def put_planes(draft: StreamDraft, write: PutPlanes) -> Outcome:
    """Store planes of an element that is there. Raises NotFoundError."""
    sequence = draft.last_at(write.pts, write.kind)
    if sequence is None:
        raise no_element(write.kind, write.pts)
    row = _row(draft, sequence)
    is_new = are_new(write.planes, [length for _, _, length in row.places])
    places = [*row.places, *[NOWHERE] * (max(write.planes) + 1 - len(row.places))]
    for plane, buffer in write.planes.items():
        draft.release([places[plane]])
        places[plane] = draft.hold(buffer)
    outcome = _put(draft, sequence, _with_payload(row, places, write.expires_us))
    return msgspec.structs.replace(outcome, created=is_new)


def keep_payload(draft: StreamDraft, write: KeepPayload) -> Outcome:
    """Put off the end of a payload."""
    sequence = draft.last_at(write.pts, write.kind)
    row = None if sequence is None else _row(draft, sequence)
    if sequence is None or row is None or row.state is not PayloadState.HERE:
        return Outcome(created=False, changed=0)
    if row.expires_us is None or row.expires_us >= write.until_us:
        return Outcome(created=False, changed=0)
    return _put(draft, sequence, replace(row, expires_us=write.until_us))


def delete_elements(draft: StreamDraft, write: DeleteElements) -> Outcome:
    """Take out a range."""
    sequences = draft.between(write.first_pts, write.last_pts, write.kind)
    draft.load(sequences)
    remove(draft, sequences)
    return Outcome(created=False, changed=len(sequences))


def remove(draft: StreamDraft, sequences: Iterable[int]) -> list[int]:
    """Take out elements; the bytes of the payloads that go with them."""
    gone = []
    for sequence in sequences:
        row = _row(draft, sequence)
        if row.state is PayloadState.HERE:
            gone.append(row.payload_bytes)
        draft.release(row.places)
        draft.remove(sequence)
    return gone


def drop_payloads(draft: StreamDraft, write: DropPayloads, pins: Pins, now_us: int) -> Outcome:
    """Let the payloads of a range go, those that are pinned aside."""
    found = draft.between(write.first_pts, write.last_pts, write.kind)
    sequences = [sequence for sequence in found if not pins.hold(write.stream, sequence, now_us)]
    return Outcome(created=False, changed=len(let_go(draft, sequences)))


def let_go(draft: StreamDraft, sequences: Iterable[int]) -> list[int]:
    """Let go the payloads that are here of these elements; the bytes of each."""
    sequences = list(sequences)
    draft.load(sequences)
    gone = []
    for sequence in sequences:
        row = draft.row(sequence)
        if row is not None and row.state is PayloadState.HERE:
            draft.release(row.places)
            draft.put(sequence, replace(row, state=PayloadState.GONE, places=(), expires_us=None))
            gone.append(row.payload_bytes)
    return gone


def limit_stream(draft: StreamDraft, write: LimitStream) -> Outcome:
    """Begin the stream if it isn't there; set or lift both limits."""
    draft.is_begun = True
    draft.head.limit_age_us = write.payload_age_us
    draft.head.limit_bytes = write.payload_bytes
    draft.is_changed = True
    return Outcome(created=False, changed=1)


def _append(draft: StreamDraft, write: PutElement, pts: int, now_us: int) -> Outcome:
    element = write.element
    sequence = draft.head.next_sequence
    draft.head.next_sequence += 1
    element_id = element.element_id or new_element_id()
    places: list[Place] = []
    state, expires_us = PayloadState.NEVER, None
    if write.planes:
        places = [draft.hold(plane) for plane in write.planes]
        state, expires_us = PayloadState.HERE, write.expires_us
        if expires_us is not None:
            draft.expiring[sequence] = expires_us
    data = pack_row(element, pts, now_us, state, places, expires_us, element_id)
    draft.add(sequence, place_bytes(pts, element.kind), element_id, data)
    return Outcome(True, 1, sequence, pts, element_id)


def _replace(draft: StreamDraft, sequence: int, write: PutElement) -> Outcome:
    there = _row(draft, sequence)
    element = msgspec.structs.replace(
        write.element, pts=there.element.pts, element_id=there.element.element_id
    )
    row = replace(there, element=element)
    if write.planes:
        draft.release(row.places)
        row = _with_payload(row, [draft.hold(plane) for plane in write.planes], write.expires_us)
    return _put(draft, sequence, row)


def _put(draft: StreamDraft, sequence: int, row: Row) -> Outcome:
    if row.state is PayloadState.HERE and row.expires_us is not None:
        draft.expiring[sequence] = row.expires_us
    draft.put(sequence, row)
    return Outcome(False, 1, sequence, row.element.pts, row.element.element_id)


def _repeated(draft: StreamDraft, sequence: int) -> Outcome:
    element = _row(draft, sequence).element
    return Outcome(False, 0, sequence, element.pts, element.element_id)


def _with_payload(row: Row, places: list[Place], expires_us: int | None) -> Row:
    return replace(row, state=PayloadState.HERE, places=tuple(places), expires_us=expires_us)


def _row(draft: StreamDraft, sequence: int) -> Row:
    row = draft.row(sequence)
    if row is None:
        raise TornError
    return row
