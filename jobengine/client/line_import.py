"""A file of lines becomes a content again: what is in it is told in `jobengine.model.beam.element_lines`.

The lines go to the service as they stand, in batches; it knows each element by its id, so importing again
brings only what is missing, also from a file that has grown meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jobengine.client.content_import import BATCH_BYTES, BATCH_ELEMENTS, Imported
from jobengine.errors import ConflictError, MediaError
from jobengine.media.demux import ReadFault
from jobengine.model.beam.element_lines import MEDIA_TYPE

if TYPE_CHECKING:
    from jobengine.client.contents import Contents

Json = Any
Progress = Callable[[int, int], None]
STREAM = "0"
MAX_LINE_BYTES = 1 << 30
_MESSAGE, _END = "message", "endOfStream"


class _Lines:
    """Lines of elements as the body of a request."""

    media_type = MEDIA_TYPE

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.size_bytes = 0

    def add(self, line: bytes) -> None:
        """One line more."""
        self.lines.append(line)
        self.size_bytes += len(line)

    @property
    def is_full(self) -> bool:
        return self.size_bytes >= BATCH_BYTES or len(self.lines) >= BATCH_ELEMENTS

    def body(self) -> bytes:
        return b"".join(self.lines)


def import_lines(contents: Contents, file: Path, name: str, on_progress: Progress | None) -> Imported:
    """Bring ``file`` in as the content ``name``; its stream is closed if the file ends with an end of stream.

    Blocks. Raises MediaError if it is no such file, ConflictError if the name is taken by something else, and
    what the service says.
    """
    size_bytes = _size_of(file)
    with file.open("rb") as opened:
        head = _read_head(opened, file)
        _begin(contents, head, name)
        work = _Import(contents, name, on_progress, size_bytes)
        return work.run(opened)


class _Import:
    """One import under way; its numbers so far."""

    def __init__(self, contents: Contents, name: str, on_progress: Progress | None, size_bytes: int) -> None:
        self._contents, self._name = contents, name
        self._on_progress, self._size_bytes = on_progress, size_bytes
        self._created = self._repeated = 0

    def run(self, opened: IO[bytes]) -> Imported:
        """Put the lines of ``opened`` from its position on, and close the stream if they say so. Blocks.

        Raises what the service answers; what was put before stays.
        """
        faults: tuple[ReadFault, ...] = ()
        batch, last = _Lines(), b""
        position = opened.tell()
        while line := opened.readline(MAX_LINE_BYTES):
            if not line.endswith(b"\n"):
                faults = (ReadFault(position, "the last line is not complete"),)
                break
            batch.add(line)
            position, last = position + len(line), line.strip() or last
            if batch.is_full:
                self._put(batch, position)
                batch = _Lines()
        self._put(batch, position)
        if not faults and _is_end(last):
            self._contents.change_stream(self._name, STREAM, {"closed": True})
        return Imported(self._name, 1, self._created, self._repeated, faults)

    def _put(self, batch: _Lines, position: int) -> None:
        if batch.lines:
            counts = self._contents.put(self._name, STREAM, batch, "append")
            self._created += counts.created
            self._repeated += counts.repeated
        if self._on_progress is not None:
            self._on_progress(position, self._size_bytes)


def _begin(contents: Contents, head: Mapping[str, Json], name: str) -> None:
    """Make the content, unless an import of the same file has."""
    try:
        contents.create({**head, "url": name})
    except ConflictError:
        if "jobId" not in head or contents.get(name).get("jobId") != head["jobId"]:
            raise ConflictError(f"there is a content {name!r} already, not made from this file") from None
        contents.change_stream(name, STREAM, {"closed": False})


def _size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise MediaError(f"{file} can't be read ({error.strerror})") from error


def _read_head(opened: IO[bytes], file: Path) -> Mapping[str, Json]:
    try:
        head = json.loads(opened.readline(MAX_LINE_BYTES))
    except ValueError:
        head = None
    if not isinstance(head, dict) or not isinstance(head.get("streams"), list):
        raise MediaError(f"{file.name} does not begin with a line that describes a stream")
    return head


def _is_end(line: bytes) -> bool:
    return bool(line) and json.loads(line).get(_MESSAGE) == _END
