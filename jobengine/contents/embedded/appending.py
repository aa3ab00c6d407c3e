"""Elements appended to their streams: the hot path, one loop without calls or objects that it can do without.

What it does for each element is what `Part.add` and `Changes.insert` do for one.
"""

from __future__ import annotations

from collections.abc import Sequence

from xxhash import xxh3_64_intdigest

from jobengine.contents.embedded import keys
from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.keys import BIAS
from jobengine.contents.embedded.log import Part
from jobengine.contents.embedded.record import (
    CHECKSUM,
    CORE,
    HEADER_BYTES,
    MAGIC,
    PREFIX,
    VERSION,
    RecordType,
    padding,
)
from jobengine.contents.embedded.requests import ReadyElement
from jobengine.contents.embedded.row import PLACES
from jobengine.contents.embedded.tables import StreamRow
from jobengine.ports.contents import Outcome


def append(changes: Changes, part: Part, elements: Sequence[ReadyElement]) -> list[Outcome]:  # noqa: C901, PLR0915
    """Append elements, each to its stream; those whose id is known are left out."""
    kind, seed, segment = int(RecordType.ELEMENT), part.seed, part.segment
    buffers, pending, offset = part.buffers, part.pending, part.next
    pack_prefix, pack_places, core_bytes = PREFIX.pack, PLACES.pack, CORE.size
    kind_bytes, pack_checksum, digest = keys.KINDS, CHECKSUM.pack, xxh3_64_intdigest
    add_row, add_time, add_id = (changes.new[name].append for name in ("rows", "times", "ids"))
    record_bytes = payload_bytes = count = 0
    streams: dict[int, tuple[StreamRow, bytes]] = {}
    outcomes: list[Outcome] = []
    for ready in elements:
        number, element_id, size = ready.stream, ready.element_id, ready.payload_bytes
        checksum = ready.payload_checksum
        if number not in streams:
            streams[number] = _stream(changes, ready)
        stream, life_key = streams[number]
        if element_id > stream.last_id:
            stream.last_id = element_id
        elif not ready.has_new_id and (known := _known(changes, stream, element_id)) is not None:
            outcomes.append(known)
            continue
        sequence = stream.next_sequence
        pts = sequence if ready.pts is None else ready.pts
        tail = pts.to_bytes(8, "little", signed=True) + ready.rest
        head = pack_prefix(MAGIC, VERSION, kind, ready.said, size, checksum, number, stream.life, sequence)
        head = pack_checksum(digest(head + tail, seed)) + head + tail
        buffers.append(head)
        payload_offset = offset + len(head)
        payload_segment, payload_place = (segment, payload_offset >> 3) if ready.planes else (0, 0)
        places = pack_places(segment, offset >> 3, payload_segment, payload_place, checksum)
        place = sequence.to_bytes(8, "big")
        add_row((life_key + place, tail[:core_bytes] + places + ready.sizes))
        time = life_key + (pts + BIAS).to_bytes(8, "big") + kind_bytes[ready.kind] + place
        add_time((time, b""))
        add_id((life_key + element_id, place))
        if ready.is_key:
            changes.collect_key(stream, time, life_key + element_id, place)
        if ready.expires_us is not None:
            changes.expires(stream.life, sequence, ready.expires_us)
        if pts + BIAS >> stream.bucket_bits != stream.open_bucket:
            changes.open_bucket(stream, pts + BIAS >> stream.bucket_bits)
        if pending is not None:
            pending |= {(segment, offset): (ready.attributes,), (segment, payload_offset): ready.planes}
        if size:
            buffers.extend(ready.planes)
            if size & 7:
                buffers.append(padding(size))
        offset = payload_offset + (size + 7 & -8)
        record_bytes += HEADER_BYTES + len(ready.attributes)
        payload_bytes += size
        stream.next_sequence = sequence + 1
        stream.open_count += 1
        stream.count += 1
        stream.payload_bytes += size
        count += 1
        outcomes.append(Outcome(True, 1, sequence, pts, element_id))
    part.advance(offset, count)
    _count_bytes(changes, segment, record_bytes, payload_bytes)
    return outcomes


def _count_bytes(changes: Changes, segment: int, record_bytes: int, payload_bytes: int) -> None:
    row = changes.segment(segment)
    row.record_bytes += record_bytes
    row.payload_bytes += payload_bytes


def _stream(changes: Changes, ready: ReadyElement) -> tuple[StreamRow, bytes]:
    """The stream that an element goes to, and what begins its keys."""
    stream = changes.stream_there(ready.stream)
    changes.bits_of(stream, ready.duration)
    return stream, keys.number(stream.life)


def _known(changes: Changes, stream: StreamRow, element_id: bytes) -> Outcome | None:
    """What is answered for an element that is there already."""
    sequence = changes.find_id(stream, element_id)
    row = None if sequence is None else changes.row(stream, sequence)
    return None if row is None else Outcome(False, 0, sequence, row.pts, element_id)
