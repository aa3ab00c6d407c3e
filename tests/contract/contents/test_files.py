"""Where a store keeps payloads in files, it tells in which; what stands there is the payload."""

from __future__ import annotations

from pathlib import Path

from jobengine.ports.contents import ContentStore, DropPayloads, PutElement
from tests.contract.contents.samples import FRAME, STREAM, element, put


def in_file(store: ContentStore, pts: int) -> bytes | None:
    """The payload as its file has it; None if no file is told."""
    [stored] = store.range(STREAM, pts, pts)
    span = store.payload_file(stored)
    if span is None:
        return None
    return Path(span.path).read_bytes()[span.offset : span.offset + span.length]


def test_a_file_that_is_told_has_the_payload(store: ContentStore) -> None:
    store.commit([put(n, bytes([n]) * n * 1000) for n in range(1, 4)])
    store.commit([PutElement(STREAM, element(9, FRAME), [b"yyyy", b"uu", b""])])

    for pts, payload in ((1, b"\1" * 1000), (3, b"\3" * 3000), (9, b"yyyyuu")):
        assert in_file(store, pts) in (None, payload)


def test_no_file_is_told_of_a_payload_that_is_not_there(store: ContentStore) -> None:
    store.commit([put(1), put(2, b"gone")])
    store.commit([DropPayloads(STREAM, 2, 2)])

    assert in_file(store, 1) is None
    assert in_file(store, 2) is None
