"""A process that appends elements to an embedded store and says of each commit when it has returned.

python -m tests.acceptance.contents_writer FOLDER STREAM
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import xxhash

from jobengine.clock import SystemClock
from jobengine.contents.embedded import EmbeddedContents, EmbeddedOptions
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import PutElement
from tests.begun import begun

ELEMENTS_IN_A_COMMIT = 5
OPTIONS = EmbeddedOptions(segment_bytes=4 << 20, reserve_bytes=1 << 20)


def payload_of(stream: int, pts: int) -> bytes:
    """What the element of this pts must hold: 100 to 20,000 bytes that tell where they belong."""
    seed = xxhash.xxh3_64_digest(b"%d/%d" % (stream, pts))
    return seed * (13 + pts * 7919 % 2500)


def main() -> None:
    """Append until somebody kills the process; one line with the last pts after each commit."""
    stream = int(sys.argv[2])
    store = begun(EmbeddedContents(Path(sys.argv[1]), SystemClock(), OPTIONS), [stream])
    start = store.facts(stream).last_pts
    for first in itertools.count(0 if start is None else start + 1, ELEMENTS_IN_A_COMMIT):
        times = range(first, first + ELEMENTS_IN_A_COMMIT)
        store.commit(
            [PutElement(stream, Element(ElementKind.PACKET, pts), [payload_of(stream, pts)]) for pts in times]
        )
        print(times[-1], flush=True)


if __name__ == "__main__":
    main()
