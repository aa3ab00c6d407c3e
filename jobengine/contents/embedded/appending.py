"""Elements appended to their streams: the hot path, one loop without calls or objects that it can do without.

What it does for each element is what `Part.add` and `Changes.insert` do for one.
"""

from __future__ import annotations

from collections.abc import Sequence

from xxhash import xxh3_64_intdigest

from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.keys import BIAS, LAST, pack_place, pack_time
from jobengine.contents.embedded.part import SPILL_BYTES, Part
from jobengine.contents.embedded.record import (
    CHECKSUM,
    CORE,
    HEADER_BYTES,
    MAGIC,
    PREFIX,
    PREFIX_AND_PTS,
    VERSION,
    RecordType,
    padding,
)
from jobengine.contents.embedded.requests import ReadyElement
from jobengine.contents.embedded.row import PLACES
from jobengine.contents.embedded.tables import StreamRow
from jobengine.ports.contents import Outcome

_ELEMENT = int(RecordType.ELEMENT)
_pack_checksum, _pack_head, _pack_places = CHECKSUM.pack, PREFIX_AND_PTS.pack, PLACES.pack
_CORE_AT, _CORE_END = PREFIX.size, PREFIX.size + CORE.size


def append(changes: Changes, part: Part, elements: Sequence[ReadyElement]) -> list[Outcome]:  # noqa: PLR0915
    """Append elements, each to its stream; those whose id is known are left out."""
    seed, segment, buffers, pending, offset = part.seed, part.segment, part.buffers, part.pending, part.next
    spill_at = LAST if pending is not None else offset + SPILL_BYTES
    add_row, add_time, add_id = (changes.new[name].append for name in ("rows", "times", "ids"))
    add_buffer = buffers.append
    record_bytes = payload_bytes = count = 0
    streams: dict[int, StreamRow] = {}
    outcomes: list[Outcome] = []
    for ready in elements:
        number, element_id, planes = ready.stream, ready.element_id, ready.planes
        size, checksum = ready.payload_bytes, ready.payload_checksum
        stream = streams.get(number) or streams.setdefault(number, _stream(changes, ready))
        if element_id > stream.last_id:
            stream.last_id = element_id
        elif not ready.has_new_id and (known := _known(changes, stream, element_id)) is not None:
            outcomes.append(known)
            continue
        sequence, life = stream.next_sequence, stream.life
        pts = sequence if ready.pts is None else ready.pts
        head = _pack_head(MAGIC, VERSION, _ELEMENT, ready.said, size, checksum, number, life, sequence, pts)
        head += ready.rest
        buffers += (_pack_checksum(xxh3_64_intdigest(head, seed)), head, *planes)
        if size & 7:
            add_buffer(padding(size))
        payload_offset = offset + CHECKSUM.size + len(head)
        payload_segment, payload_place = (segment, payload_offset >> 3) if planes else (0, 0)
        places = _pack_places(segment, offset >> 3, payload_segment, payload_place, checksum)
        place = pack_place(life, sequence)
        life_key, sequence_key = place[:8], place[8:]
        add_row((place, head[_CORE_AT:_CORE_END] + places + ready.sizes))
        biased = pts + BIAS
        time = pack_time(life, biased, ready.kind, sequence)
        add_time((time, b""))
        add_id((element_id + life_key, sequence_key))
        if ready.is_key:
            changes.collect_key(stream, time, life_key + element_id, sequence_key)
        if ready.expires_us is not None:
            changes.expires(life, sequence, ready.expires_us)
        if biased >> stream.bucket_bits != stream.open_bucket:
            changes.open_bucket(stream, biased >> stream.bucket_bits)
        if pending is not None:
            pending |= {(segment, offset): (ready.attributes,), (segment, payload_offset): planes}
        offset = payload_offset + (size + 7 & -8)
        record_bytes += HEADER_BYTES + len(ready.attributes)
        payload_bytes += size
        stream.next_sequence = sequence + 1
        stream.open_count += 1
        stream.count += 1
        stream.payload_bytes += size
        count += 1
        outcomes.append(Outcome(True, 1, sequence, pts, element_id))
        if offset >= spill_at:
            part.advance(offset, count)
            part.spill()
            spill_at, count = offset + SPILL_BYTES, 0
    part.advance(offset, count)
    _count_bytes(changes, segment, record_bytes, payload_bytes)
    return outcomes


def _count_bytes(changes: Changes, segment: int, record_bytes: int, payload_bytes: int) -> None:
    row = changes.segment(segment)
    row.record_bytes += record_bytes
    row.payload_bytes += payload_bytes


def _stream(changes: Changes, ready: ReadyElement) -> StreamRow:
    """The stream that an element goes to."""
    stream = changes.stream_there(ready.stream)
    changes.bits_of(stream, ready.duration)
    return stream


def _known(changes: Changes, stream: StreamRow, element_id: bytes) -> Outcome | None:
    """What is answered for an element that is there already."""
    sequence = changes.find_id(stream, element_id)
    row = None if sequence is None else changes.row(stream, sequence)
    return None if row is None else Outcome(False, 0, sequence, row.pts, element_id)
