"""A file of lines as the target of a sink; what is in it is told in `jobengine.model.beam.element_lines`.

It is made with its first line when the first element comes, grows by whole groups that are on the disk
before they count, and never takes the place of another file. A job whose worker died goes on in its own file,
which it knows by the ``jobId`` in the first line: what lies behind the place in the ledger is cut, as it
comes again.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence

from jobengine.errors import DiskFull, MediaError, SinkError
from jobengine.media.places import find_target
from jobengine.model.beam.element_lines import line_of_element, line_of_format, one_stream_format
from jobengine.model.roots import MediaRoots
from jobengine.ports.sink import SinkStream
from jobengine.worker.restream.grouped_sink import Offered

_HEAD_BYTES_MAX = 1 << 20
_PIECE = 1 << 16
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FileWriter:
    """A `jobengine.worker.restream.grouped_sink.GroupWriter`.

    ``mark``: how many bytes of the file a former worker of the job is known to have written; None: nobody
    knows, so every whole line is kept. Raises MediaError if nothing can be written there.
    """

    def __init__(
        self, roots: MediaRoots, path: str, stream: SinkStream, job_id: str, mark: int | None
    ) -> None:
        self._path = find_target(roots, path)
        self._job_id = job_id
        self._mark = mark
        members = {"jobId": job_id, "resultingStream": stream.name}
        self._head = line_of_format(one_stream_format(stream.format, stream.document, 0, **members))
        self._fd = -1
        self._size = 0
        self.name = f"file {self._path}"
        if self._path.exists():
            self._check_own()

    def write(self, group: Sequence[Offered]) -> int:
        lines = b"".join(line_of_element(each.element, each.planes) for each in group)
        try:
            if self._fd < 0:
                self._open()
            _write_all(self._fd, lines, self._size)
            os.fdatasync(self._fd)
        except OSError as error:
            raise self._failure(error) from error
        self._size += len(lines)
        return self._size

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        """Make the file, or go on in the own one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._make()
        self._check_own()
        self._fd = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        there = os.fstat(self._fd).st_size
        if self._mark is None:
            self._size = _end_of_lines(self._fd, there)
        else:
            self._size = max(self._mark, len(self._head))
        if self._size > there:
            raise SinkError(f"{self._path} is shorter than it was: somebody has changed it")
        os.ftruncate(self._fd, self._size)

    def _make(self) -> None:
        """The file with its first line, under its name at once; nothing if there is a file already."""
        part = self._path.with_name(f".{self._path.name}.{self._job_id}")
        part.unlink(missing_ok=True)
        try:
            part.write_bytes(self._head)
            os.link(part, self._path)
        except FileExistsError:
            return
        finally:
            part.unlink(missing_ok=True)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _check_own(self) -> None:
        """Raise SinkError for a file that is none of this job."""
        try:
            with self._path.open("rb") as file:
                head = json.loads(file.readline(_HEAD_BYTES_MAX))
        except (OSError, ValueError):
            head = None
        if not isinstance(head, dict) or head.get("jobId") != self._job_id:
            raise SinkError(f"{self._path} is there already; nothing is overwritten")

    def _failure(self, error: OSError) -> MediaError:
        """What went wrong; half a group is taken back, so that the file stays whole."""
        if self._fd >= 0:
            os.ftruncate(self._fd, self._size)
        if error.errno in _NO_SPACE:
            return DiskFull(f"no space is left for {self._path}; what is written so far is kept")
        return SinkError(f"{self._path}: {error.strerror}")


def _write_all(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def _end_of_lines(fd: int, size: int) -> int:
    """Where the last whole line ends."""
    end = size
    while end > 0:
        begin = max(0, end - _PIECE)
        at = os.pread(fd, end - begin, begin).rfind(b"\n")
        if at >= 0:
            return begin + at + 1
        end = begin
    return 0
