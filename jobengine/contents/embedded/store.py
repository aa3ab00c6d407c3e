"""The embedded contents store: a `ContentStore` in files of one folder, shared by processes.

The log of records is the truth (`log`, `group`, `record`), the index tells where things are in it (`index`).
Commits are gathered and synced by `committing`; opening mends what a crash left (`opening`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from jobengine.clock import Clock, to_us
from jobengine.contents.checks import check_page, check_pin, check_writes
from jobengine.contents.embedded.bell import FileBell
from jobengine.contents.embedded.committing import Committer
from jobengine.contents.embedded.deciding import PutPin, RemovePin
from jobengine.contents.embedded.documents import Documents, to_document
from jobengine.contents.embedded.evicting import EvictStep, find_oldest, is_full
from jobengine.contents.embedded.expiring import ExpireStep, StepDone
from jobengine.contents.embedded.log import Log
from jobengine.contents.embedded.look_ups import LookUps
from jobengine.contents.embedded.moving import MoveDone, MoveStep, SealSegment, find_spent_segment
from jobengine.contents.embedded.opening import open_store
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.reading import LogReader
from jobengine.contents.embedded.requests import Request, make_ready
from jobengine.contents.embedded.row import Found
from jobengine.contents.embedded.tables import PinRow
from jobengine.contents.refusals import store_closed
from jobengine.errors import UnavailableError
from jobengine.ids import new_id
from jobengine.model.element import Gap, StoredElement, StreamFacts
from jobengine.model.file_span import FileSpan
from jobengine.ports.contents import Bell, Buffer, Capacity, Document, Expiry, Opening, Outcome, Write

Result = TypeVar("Result")
_ATTEMPTS: Final = 5
"""How often a look-up is begun anew because a segment was freed under it."""
_STEPS: Final = 16
"""How many steps of expiry one call takes."""
_log: Final = structlog.get_logger(__name__)


class EmbeddedContents:
    """A `jobengine.ports.contents.ContentStore` in files."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        options: EmbeddedOptions = EmbeddedOptions(),  # noqa: B008 - frozen
    ) -> None:
        """Open the store in ``folder``, or make it. Raises UnavailableError (see `opening`), OSError."""
        self._clock = clock
        self._options = options
        self._opened = open_store(folder, options, clock)
        self._reader = LogReader(self._opened.segments)
        self._log = Log(self._opened.segments, options, self._opened.salt)
        self._committer = Committer(
            self._opened.index, self._log, self._reader, self._opened.turn, options, clock
        )
        self._look_ups = LookUps(self._opened.index)
        self._documents = Documents(self._opened.index)
        self._is_closed = False

    @property
    def opening(self) -> Opening:
        """What the opening found and mended."""
        return self._opened.opening

    def commit(self, writes: Sequence[Write]) -> list[Outcome]:
        """Do all writes or none; see `committing` for how long that blocks."""
        streams = check_writes(writes)
        self._must_be_open()
        if not writes:
            return []
        return self._committer.do(make_ready(writes, to_us(self._clock.now()), streams))

    def document(self, collection: str, key: str) -> Document | None:
        """One document."""
        self._must_be_open()
        with self._opened.index.read() as transaction:
            row = self._documents.row(transaction, collection, key)
        return None if row is None else to_document(collection, key, row)

    def documents(
        self, collection: str, after: str | None = None, limit: int | None = None
    ) -> list[Document]:
        """Documents in order of their keys, those behind ``after``."""
        check_page(0, limit)
        self._must_be_open()
        with self._opened.index.read() as transaction:
            return self._documents.page(transaction, collection, after, limit)

    def facts(self, stream: int) -> StreamFacts:
        """Counts and bounds."""
        self._must_be_open()
        return self._look_ups.facts(stream)

    def range(
        self,
        stream: int,
        first_pts: int,
        last_pts: int,
        offset: int = 0,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[StoredElement]:
        """Elements in a range of pts, both ends inclusive."""
        check_page(offset, limit)
        walk = self._look_ups.backwards if descending else self._look_ups.forwards
        return self._elements(stream, lambda: walk(stream, first_pts, last_pts, offset, limit))

    def nth(self, stream: int, rank: int, limit: int) -> list[StoredElement]:
        """``limit`` elements from the rank-th on, in order of pts."""
        check_page(rank, limit)
        return self._elements(stream, lambda: self._look_ups.nth(stream, rank, limit))

    def by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The element with exactly this id."""
        return self._element(stream, lambda: self._look_ups.by_id(stream, element_id))

    def by_sequence(self, stream: int, sequence: int) -> StoredElement | None:
        """The element at one place of arrival."""
        return self._element(stream, lambda: self._look_ups.by_sequence(stream, sequence))

    def key_by_id(self, stream: int, element_id: bytes) -> StoredElement | None:
        """The last key element whose id is at or before this one."""
        return self._element(stream, lambda: self._look_ups.key_by_id(stream, element_id))

    def key_by_pts(self, stream: int, pts: int) -> StoredElement | None:
        """The last key element whose pts is at or before this one."""
        return self._element(stream, lambda: self._look_ups.key_by_pts(stream, pts))

    def scan(self, stream: int, sequence: int, limit: int) -> list[StoredElement | Gap]:
        """What stands from a place of arrival on, at most ``limit`` entries."""
        check_page(sequence, limit)

        def look() -> list[StoredElement | Gap]:
            found, end = self._look_ups.scan(stream, sequence, limit)
            elements = self._reader.elements(stream, found)
            # A page that was cut by the limit says nothing of what is behind it.
            return _with_gaps(stream, sequence, elements, None if len(elements) == limit else end)[:limit]

        return self._again(look)

    def payloads(self, elements: Sequence[StoredElement]) -> list[Sequence[Buffer] | None]:
        """The planes of each element; None where they were never stored or are gone."""

        def look() -> list[Sequence[Buffer] | None]:
            return list(self._reader.payloads(self._look_ups.places(elements)))

        return self._again(look)

    def payload_file(self, element: StoredElement) -> FileSpan | None:
        """Where its payload is, while its segment is young."""
        self._must_be_open()
        [place] = self._look_ups.places([element])
        return self._reader.payload_file(place)

    def version(self) -> int:
        """The number of the last commit to the index."""
        self._must_be_open()
        return self._opened.index.version()

    def bell(self) -> Bell | None:
        """A bell at the index; None where the kernel has no more watches."""
        self._must_be_open()
        try:
            return FileBell(self._opened.index.path)
        except OSError as fault:
            _log.warning("bell.missing", detail=str(fault))
            return None

    def pin(self, stream: int, first_sequence: int, last_sequence: int, until_us: int) -> str:
        """Keep payloads of a range from going until a moment; the pin's id."""
        check_pin(stream, first_sequence, last_sequence, until_us)
        self._must_be_open()
        name = new_id()
        pin = PinRow(stream, 0, first_sequence, last_sequence, until_us)
        self._committer.do(Request([PutPin(name, pin)]))
        return name

    def unpin(self, pin: str) -> None:
        """Let a pin go."""
        self._must_be_open()
        self._committer.do(Request([RemovePin(pin)]))

    def expire(self, now_us: int, capacity: Capacity = Capacity()) -> Expiry:  # noqa: B008 - frozen
        """Let go what is past its time or limits or beyond the capacity, and free one segment at most."""
        self._must_be_open()
        index, at_once, done = self._opened.index, self._options.expire_elements, StepDone(is_unfinished=True)
        for _ in range(_STEPS):
            done.is_unfinished = self._count(ExpireStep(now_us, at_once), done)
            if not done.is_unfinished:
                break
        for _ in range(0 if done.is_unfinished else _STEPS):
            evict = find_oldest(index, capacity, at_once)
            if evict is None:
                break
            self._count(evict, done)
        freed_bytes = 0 if done.is_unfinished else self._free_segment()
        return Expiry(done.payloads, done.payload_bytes, freed_bytes, done.elements, is_full(index))

    def close(self) -> None:
        """Wait for commits under way and let everything go."""
        if not self._is_closed:
            self._is_closed = True
            self._committer.close()
            self._opened.close()

    def _count(self, step: ExpireStep | EvictStep, done: StepDone) -> bool:
        """Do a step and add what it did; whether it came to its end too early."""
        [step_done] = self._committer.do(Request([step], is_sure=True))
        done.add(step_done)
        return bool(step_done.is_unfinished)

    def _free_segment(self) -> int:
        """Move what is wanted of the emptiest spent segment and remove its file; the bytes it had."""
        segments = self._opened.segments
        number = find_spent_segment(self._opened.index, self._options)
        if number is None:
            return 0
        self._committer.do(Request([SealSegment(number)], is_sure=True))
        done = MoveDone()
        while not done.is_finished:
            step = MoveStep(number, self._options.expire_elements)
            [done] = self._committer.do(Request([step], is_sure=True))
        if not done.is_forgotten:
            return 0
        freed_bytes = segments.size(number)
        segments.remove(number)
        # A file that came back after a power cut would bring back elements whose deletion is freed since.
        segments.sync_names()
        return freed_bytes

    def _must_be_open(self) -> None:
        if self._is_closed:
            raise store_closed()

    def _element(self, stream: int, look_up: Callable[[], Found]) -> StoredElement | None:
        found = self._elements(stream, look_up)
        return found[0] if found else None

    def _elements(self, stream: int, look_up: Callable[[], Found]) -> list[StoredElement]:
        return self._again(lambda: self._reader.elements(stream, look_up()))

    def _again(self, look: Callable[[], Result]) -> Result:
        """Look up once more if a segment was freed between the index and the log."""
        for _ in range(_ATTEMPTS):
            self._must_be_open()
            try:
                return look()
            except FileNotFoundError:
                continue
        raise UnavailableError("segments of the contents store vanish while they are read")


def _with_gaps(stream: int, sequence: int, elements: Sequence[StoredElement], end: int | None) -> list[Any]:
    entries: list[Any] = []
    if elements and elements[-1].sequence - sequence + 1 == len(elements):
        entries += elements
        sequence += len(elements)
        elements = ()
    for element in elements:
        if element.sequence > sequence:
            entries.append(Gap(stream, sequence, element.sequence - 1))
        entries.append(element)
        sequence = element.sequence + 1
    if end is not None and sequence < end:
        entries.append(Gap(stream, sequence, end - 1))
    return entries
