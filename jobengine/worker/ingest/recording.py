"""From received messages to durable elements, group by group; what can't be recorded is counted and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from jobengine.contents.checks import check_writes
from jobengine.errors import MalformedError, StreamGone, UnavailableError
from jobengine.messaging.sockets.codec import Decoder, Record, UnreadableRecord
from jobengine.messaging.sockets.reader import Outcome, Received
from jobengine.ports.contents import ContentStore, DeleteDocument, PutDocument, PutElement
from jobengine.worker.ingest.tracks import SourceRefused, Track, Tracks

Json = Any
COUNTS = "ingest-counts"
"""The collection of what each job has recorded, kept with the elements it counts."""

_SKIPPED = {
    Outcome.OTHER_TOPIC: "otherTopic",
    Outcome.BLOCKED: "blocked",
    Outcome.FENCED: "fenced",
    Outcome.OTHER_VERSION: "otherVersion",
    Outcome.UNREADABLE: "unreadable",
    Outcome.TOO_SHORT: "tooShort",
}
_TRIES = 10
"""How often a group is stored: deletions and what can't be stored make it begin anew."""
_TOLD_MAX = 100
_SENDERS_MAX = 4096


@dataclass(frozen=True, slots=True)
class _Put:
    """An element on its way, and what it was made of: its stream may be deleted under it."""

    track: Track
    write: PutElement
    record: Record
    topic: bytes


class Recording:
    """What one job records. ``store`` stays the caller's. Used by one thread."""

    def __init__(
        self, store: ContentStore, tracks: Tracks, decoder: Decoder, job_id: str, keeps_payload: bool
    ) -> None:
        self._store = store
        self._tracks = tracks
        self._decoder = decoder
        self._job_id = job_id
        self._keeps_payload = keeps_payload
        self._sequences: dict[tuple[bytes, str], int] = {}
        self._told = 0
        self._log = structlog.get_logger("ingest")
        known = store.document(COUNTS, job_id)
        self.counts: Counter[str] = Counter(known.value if known else {})
        self.last_id = b""

    def take(self, messages: Sequence[Received]) -> None:
        """Record a group and return when it is durable. Raises UnavailableError."""
        puts: list[_Put] = []
        for message in messages:
            self.counts["receivedBytes"] += len(message.record) + sum(part.nbytes for part in message.parts)
            if message.outcome in _SKIPPED:
                self.counts[_SKIPPED[message.outcome]] += 1
                continue
            puts += self._read(message)
        if puts:
            self._commit(puts)

    def end(self) -> None:
        """Nothing more will be recorded: the streams say so. The counts are told by the job's history."""
        self._tracks.close()
        self._store.commit([DeleteDocument(COUNTS, self._job_id)])

    def _read(self, message: Received) -> list[_Put]:
        """What a message brings: one element or none."""
        try:
            record = self._decoder.read(message.record, message.parts)
        except UnreadableRecord as fault:
            self._skip("unreadable", message.topic, str(fault))
            return []
        self._count_losses(record)
        if record.element is None:
            self.counts["ignored"] += 1
            return []
        puts = self._placed(record, message.topic)
        self.counts["ends"] += len(puts) * record.is_end
        return puts

    def _placed(self, record: Record, topic: bytes) -> list[_Put]:
        """A record's element in the stream of its source, which is made if it isn't there."""
        try:
            track = self._tracks.of(record)
        except SourceRefused as fault:
            self._skip("refused", topic, str(fault))
            return []
        if record.element is None:
            return []
        planes = record.planes if self._keeps_payload else None
        write = PutElement(track.number, track.place(record, record.element), planes)
        return [_Put(track, write, record, topic)]

    def _commit(self, puts: Sequence[_Put]) -> None:
        """Store a group, without what can't be stored. Contents deleted under it are made anew."""
        for _ in range(_TRIES):
            before = self.counts.copy()
            try:
                self._store_group(puts)
            except MalformedError:
                self.counts = before
                puts = [put for put in puts if self._can_be_stored(put)]
            except StreamGone as gone:
                self.counts = before
                puts = self._placed_anew(puts, gone.facts["streams"])
            else:
                return
        raise UnavailableError(f"contents were deleted {_TRIES} times while a group was stored")

    def _placed_anew(self, puts: Sequence[_Put], gone: Sequence[int]) -> list[_Put]:
        for track in self._tracks.forget(gone):
            self._log.warning("ingest.content_deleted", content=track.content, elements=track.elements)
        groups = (
            [put] if put.track.number not in gone else self._placed(put.record, put.topic) for put in puts
        )
        return [put for group in groups for put in group]

    def _store_group(self, puts: Sequence[_Put]) -> None:
        self.counts["elements"] += len(puts)
        self.counts["keyElements"] += sum(put.write.element.is_key for put in puts)
        counts = PutDocument(COUNTS, self._job_id, dict(self.counts), None)
        outcomes = self._store.commit([*(put.write for put in puts), counts])
        for put, outcome in zip(puts, outcomes, strict=False):
            if outcome.changed:
                put.track.elements += 1
                self.last_id = outcome.element_id or self.last_id
            else:
                self.counts["repeated"] += 1
                self.counts["elements"] -= 1
                self.counts["keyElements"] -= put.write.element.is_key

    def _can_be_stored(self, put: _Put) -> bool:
        try:
            check_writes([put.write])
        except MalformedError as fault:
            self._skip("refused", put.track.content.encode(), fault.detail)
            return False
        return True

    def _count_losses(self, record: Record) -> None:
        """Sequences count from 1 for each sender and source: a jump ahead is what was lost on the way."""
        if not record.sequence:
            return
        key = record.sender, record.source
        expected = self._sequences.get(key, 0) + 1
        if key in self._sequences and record.sequence > expected:
            self.counts["lost"] += record.sequence - expected
        if len(self._sequences) >= _SENDERS_MAX and key not in self._sequences:
            self._sequences.clear()
        self._sequences[key] = 0 if record.is_end else record.sequence

    def _skip(self, reason: str, topic: bytes, detail: str) -> None:
        self.counts[reason] += 1
        if self._told < _TOLD_MAX:
            self._told += 1
            self._log.warning("ingest.skipped", reason=reason, topic=repr(topic[:80]), detail=detail)
