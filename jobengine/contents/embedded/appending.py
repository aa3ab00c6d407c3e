"""Elements appended to one stream: the hot path, one loop without calls or objects that it can do without.

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


def append(  # noqa: PLR0915 - one loop, see above
    changes: Changes, part: Part, elements: Sequence[ReadyElement]
) -> list[Outcome]:
    """Append elements of one stream; those whose id is known are left out."""
    number = elements[0].stream
    stream = changes.stream(number) or changes.begin_stream(number)
    life, kind = stream.life, int(RecordType.ELEMENT)
    pending = part.pending
    life_key, segment, buffers = keys.number(life), part.segment, part.buffers
    pack_prefix, pack_places, core_bytes = PREFIX.pack, PLACES.pack, CORE.size
    kind_bytes, pack_checksum, digest, seed = keys.KINDS, CHECKSUM.pack, xxh3_64_intdigest, part.seed
    offset, sequence = part.next, stream.next_sequence
    rows, times, ids = changes.new["rows"], changes.new["times"], changes.new["ids"]
    record_bytes = payload_bytes = 0
    stored_times: list[int] = []
    changes.bits_of(stream, elements[0].duration)
    outcomes: list[Outcome] = []
    for ready in elements:
        element_id, size, checksum = ready.element_id, ready.payload_bytes, ready.payload_checksum
        if element_id > stream.last_id:
            stream.last_id = element_id
        elif not ready.has_new_id and (known := _known(changes, stream, element_id)) is not None:
            outcomes.append(known)
            continue
        pts = sequence if ready.pts is None else ready.pts
        tail = ready.tail(pts)
        said = len(ready.attributes) + len(ready.sizes)
        head = pack_prefix(MAGIC, VERSION, kind, said, size, checksum, number, life, sequence) + tail
        head = pack_checksum(digest(head, seed)) + head
        payload_offset = offset + len(head)
        payload_segment, payload_place = (segment, payload_offset >> 3) if ready.planes else (0, 0)
        places = pack_places(segment, offset >> 3, payload_segment, payload_place, checksum)
        place = sequence.to_bytes(8, "big")
        rows.append((life_key + place, tail[:core_bytes] + places + ready.sizes))
        time = life_key + (pts + BIAS).to_bytes(8, "big") + kind_bytes[ready.kind] + place
        times.append((time, b""))
        ids.append((life_key + element_id, place))
        if ready.is_key:
            changes.collect_key(stream, time, life_key + element_id, place)
        if ready.expires_us is not None:
            changes.expires(life, sequence, ready.expires_us)
        stored_times.append(pts)
        buffers.append(head)
        if pending is not None:
            pending[segment, offset] = (ready.attributes,)
            pending[segment, payload_offset] = ready.planes
        if size:
            buffers.extend(ready.planes)
            if size & 7:
                buffers.append(padding(size))
        offset = payload_offset + (size + 7 & -8)
        record_bytes += HEADER_BYTES + len(ready.attributes)
        payload_bytes += size
        outcomes.append(Outcome(True, 1, sequence, pts, element_id))
        sequence += 1
    part.advance(offset, len(stored_times))
    stream.next_sequence = sequence
    changes.appended(stream, stored_times, segment, record_bytes, payload_bytes)
    return outcomes


def _known(changes: Changes, stream: StreamRow, element_id: bytes) -> Outcome | None:
    """What is answered for an element that is there already."""
    sequence = changes.find_id(stream, element_id)
    row = None if sequence is None else changes.row(stream, sequence)
    return None if row is None else Outcome(False, 0, sequence, row.pts, element_id)
