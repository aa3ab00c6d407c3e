"""Payloads of the embedded store as files: the newest segments only."""

from __future__ import annotations

from pathlib import Path

from jobengine.clock import SystemClock
from jobengine.contents.embedded import EmbeddedContents, EmbeddedOptions
from tests.begun import begun
from tests.contract.contents.samples import STREAM, put

SEGMENT_BYTES = 1 << 16


def test_young_payloads_are_in_files_and_old_ones_have_to_be_read(tmp_path: Path) -> None:
    options = EmbeddedOptions(segment_bytes=SEGMENT_BYTES, reserve_bytes=SEGMENT_BYTES, hot_segments=2)
    store = EmbeddedContents(tmp_path, SystemClock(), options)
    begun(store, (STREAM,))
    for pts in range(8):
        store.commit([put(pts, bytes([pts]) * (SEGMENT_BYTES // 2))])

    spans = [store.payload_file(element) for element in reversed(store.range(STREAM, 0, 7))]

    store.close()
    assert spans[0] is not None
    data = Path(spans[0].path).read_bytes()[spans[0].offset :]
    assert data[: spans[0].length] == b"\7" * (SEGMENT_BYTES // 2)
    assert spans[-1] is None
