"""A media file becomes a content: its packets go to the service as they are, in batches.

Every packet has an id that follows from the file, so importing again after a break brings only what is
missing. Memory is flat whatever the size of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import xxhash

from jobengine.errors import ConflictError, MediaError, NotFoundError
from jobengine.ids import derived_id
from jobengine.media.demux import Demuxer, ReadFault
from jobengine.media.media_element import MediaElement
from jobengine.model.beam.batch import Batch
from jobengine.model.beam.elements import to_document

if TYPE_CHECKING:
    from jobengine.client.contents import Contents

Json = Any
Progress = Callable[[int, int], None]
BATCH_BYTES = 4 << 20
BATCH_ELEMENTS = 2000
IMPORT_ID = "import_id"
_DIGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import. ``created`` are elements that are new, ``repeated`` those that were there;
    ``faults`` are the places of the file that could not be read."""

    name: str
    streams: int
    created: int
    repeated: int
    faults: tuple[ReadFault, ...]


def import_file(contents: Contents, file: Path, name: str, on_progress: Progress | None) -> Imported:
    """Bring ``file`` in as the content ``name``. ``on_progress`` is told the bytes done and all of them.

    Blocks. Raises MediaError if nothing of the file is readable, ConflictError if the name is taken by
    something else, and what the service says.
    """
    with Demuxer(file) as demuxer:
        work = _Import(contents, demuxer, name, _import_id(file), on_progress)
        return work.run()


class _Import:
    """One import under way; its numbers so far."""

    def __init__(
        self, contents: Contents, demuxer: Demuxer, name: str, import_id: str, on_progress: Progress | None
    ) -> None:
        self._contents, self._demuxer, self._name = contents, demuxer, name
        self._import_id = import_id
        self._on_progress = on_progress
        self._is_resumed = False
        self._created = self._repeated = 0
        self._counts = [0] * len(demuxer.streams)
        self._batch = Batch()
        self._ends: list[tuple[int, bytes]] = []
        bases = [stream.get("time_base") or (0, 1) for stream in demuxer.streams]
        self._ms_of_ticks = [(1000 * numerator, denominator) for numerator, denominator in bases]
        self._begun_ms = int(import_id[:12], 16)

    def run(self) -> Imported:
        """Bring in what is not there yet, and close the streams. Blocks; raises what the service answers.

        Raises ConflictError if the content was not made from this file. What was sent before that stays.
        """
        document = self._begin()
        if not all(stream.get("closed") for stream in document["streams"]):
            for item in self._demuxer.elements():
                self._add(item)
            self._send()
            for stream in document["streams"]:
                self._contents.change_stream(self._name, str(stream["index"]), {"closed": True})
        self._tell(self._demuxer.size_bytes)
        return Imported(
            self._name,
            len(self._demuxer.streams),
            self._created,
            self._repeated,
            tuple(self._demuxer.faults),
        )

    def _begin(self) -> Mapping[str, Json]:
        """The content: a new one, or the one that a broken import of this file has left."""
        metadata = {**self._demuxer.format.get("metadata", {}), IMPORT_ID: self._import_id}
        document = {
            **self._demuxer.format,
            "url": self._name,
            "metadata": metadata,
            "streams": self._demuxer.streams,
        }
        try:
            return dict(self._contents.create(document))
        except ConflictError:
            found: Mapping[str, Json] = self._contents.get(self._name)
        if (found.get("metadata") or {}).get(IMPORT_ID) != self._import_id:
            raise ConflictError(f"there is a content {self._name!r} already, not made from this file")
        self._is_resumed = True
        return found

    def _add(self, item: MediaElement) -> None:
        number = self._counts[item.stream_index]
        self._counts[item.stream_index] += 1
        element_id = self._element_id(item, number)
        element = msgspec.structs.replace(item.element, element_id=element_id)
        self._batch.add(to_document(element, item.stream_index, with_id=True), item.planes)
        self._ends[1:] = [(item.stream_index, element_id)]
        if self._batch.size_bytes >= BATCH_BYTES or self._batch.elements >= BATCH_ELEMENTS:
            self._send()

    def _send(self) -> None:
        batch, ends = self._batch, self._ends
        self._batch, self._ends = Batch(), []
        if not batch.elements:
            return
        self._is_resumed = self._is_resumed and all(self._is_there(*end) for end in ends)
        if self._is_resumed:
            self._repeated += batch.elements
        else:
            counts = self._contents.put(self._name, "all", batch, "append")
            self._created += counts.created
            self._repeated += counts.repeated
        self._tell(self._demuxer.position_bytes)

    def _is_there(self, stream: int, element_id: bytes) -> bool:
        reference = f"id_{UUID(bytes=element_id)}"
        try:
            return bool(list(self._contents.elements(self._name, str(stream), reference)))
        except NotFoundError:
            return False

    def _element_id(self, item: MediaElement, number: int) -> bytes:
        """A UUIDv7 that follows from the file and the packet's place in it; later packets sort after."""
        times, divisor = self._ms_of_ticks[item.stream_index]
        ticks = item.element.dts if item.element.dts is not None else item.element.pts or 0
        moment_ms = self._begun_ms + ticks * times // divisor
        name = f"{self._import_id}/{item.stream_index}/{number}"
        return derived_id(moment_ms, name)

    def _tell(self, done_bytes: int) -> None:
        if self._on_progress is not None:
            self._on_progress(done_bytes, self._demuxer.size_bytes)


def _import_id(file: Path) -> str:
    """Which file this is: the time of its last change in milliseconds, and a digest of its ends and size."""
    try:
        facts = file.stat()
        with file.open("rb") as opened:
            digest = xxhash.xxh3_128(opened.read(_DIGEST_BYTES))
            opened.seek(max(facts.st_size - _DIGEST_BYTES, 0))
            digest.update(opened.read(_DIGEST_BYTES))
    except OSError as error:
        raise MediaError(f"{file} can't be read ({error.strerror})") from error
    digest.update(str(facts.st_size).encode())
    return f"{facts.st_mtime_ns // 1_000_000:012x}-{digest.hexdigest()}"
