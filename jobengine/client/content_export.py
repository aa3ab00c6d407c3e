"""A content becomes a media file: packets as they are stored, in a container of the file's ending.

Elements come with their payload, some megabytes at a time, so memory is flat. A range begins exactly in MP4
and MOV (by an edit list) and where it is encoded anew; else at the key frame before it.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobengine.client.content_import import IMPORT_ID
from jobengine.errors import ConflictError, MalformedError, MediaError, NotFoundError
from jobengine.media.media_element import Buffer, MediaElement
from jobengine.media.mux import CONTAINERS, Muxer
from jobengine.media.ordering import in_decode_order
from jobengine.media.window import Window
from jobengine.model.beam.elements import read_element, to_element
from jobengine.model.element import Element, ElementKind
from jobengine.model.media_reference import Times, parse_reference

if TYPE_CHECKING:
    from jobengine.client.contents import Contents

Json = Any
Progress = Callable[[int, int], None]
_WHOLE = "first-last"


@dataclass(frozen=True, slots=True)
class ExportWanted:
    """What to export: streams by their names in the Beam API, none: all; ``range`` as ``10s-20s``."""

    content: str
    streams: tuple[str, ...] = ()
    range: str | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of an export. Streams by index; ``left_out`` says why. ``missing``: elements whose payload
    is gone, which are not in the file."""

    copied: tuple[int, ...]
    encoded: tuple[int, ...]
    left_out: Mapping[int, str]
    is_exact: bool
    elements: int
    missing: int


def export_file(
    contents: Contents, wanted: ExportWanted, file: Path, on_progress: Progress | None
) -> Exported:
    """Write ``file``, which must not exist yet. ``on_progress`` is told the elements done, and their number.

    The file gets its name when it is complete. Raises ConflictError if it is there, MediaError, DiskFull,
    and what the service says.
    """
    container = CONTAINERS.get(file.suffix[1:].lower())
    if container is None:
        known = ", ".join(f".{ending}" for ending in CONTAINERS)
        raise MediaError(f"{file.name} has no ending that tells the container; known endings are {known}")
    if file.exists():
        raise ConflictError(f"{file} is there already")
    if not file.parent.is_dir():
        raise MediaError(f"{file.parent} is not a folder, so {file.name} can't be written there")
    part = file.with_name(f".{file.name}.part")
    try:
        exported = _Export(contents, wanted, on_progress).write(part, container)
        os.link(part, file)
    except FileExistsError as error:
        raise ConflictError(f"{file} is there already") from error
    finally:
        part.unlink(missing_ok=True)
    return exported


class _Export:
    """One export under way; its numbers so far."""

    def __init__(self, contents: Contents, wanted: ExportWanted, on_progress: Progress | None) -> None:
        self._contents, self._wanted, self._on_progress = contents, wanted, on_progress
        self._window = _window(wanted.range)
        self._elements = self._missing = 0
        self._end_s: Fraction | None = None

    def write(self, part: Path, container: str) -> Exported:
        """Write everything that is wanted into ``part``, in the format ``container``. Blocks.

        Raises MediaError for what can't be written, NotFoundError for a range without elements, and what the
        service answers. Then ``part`` may hold a piece of it.
        """
        document = self._contents.get(self._wanted.content)
        streams = self._streams(document)
        metadata = {
            str(key): str(value)
            for key, value in (document.get("metadata") or {}).items()
            if key != IMPORT_ID
        }
        raw = {stream["index"] for stream in streams if self._is_raw(stream)}
        muxer = Muxer(part, container, streams, self._window, metadata, raw)
        try:
            for item in in_decode_order(self._in_time(streams)):
                muxer.write(item)
                self._elements += 1
                self._tell()
            self._check_reached()
        except BaseException:
            muxer.abandon()
            raise
        muxed = muxer.close()
        return Exported(
            muxed.copied, muxed.encoded, muxed.left_out, muxed.is_exact, self._elements, self._missing
        )

    def _check_reached(self) -> None:
        """Raise NotFoundError if nothing lies in the range: what leads up to it alone makes no film."""
        if self._window is not None and (self._end_s is None or self._end_s <= self._window.first_s):
            wanted = self._wanted
            raise NotFoundError(f"{wanted.range!r} matches nothing in content {wanted.content!r}")

    def _streams(self, document: Mapping[str, Json]) -> list[Mapping[str, Json]]:
        name = self._wanted.content
        chosen = [self._contents.stream(name, stream) for stream in self._wanted.streams]
        streams = list({stream["index"]: stream for stream in chosen or document["streams"]}.values())
        if not streams:
            raise NotFoundError(f"content {name!r} has no streams")
        return streams

    def _is_raw(self, stream: Mapping[str, Json]) -> bool:
        try:
            first = next(self._contents.elements(self._wanted.content, str(stream["index"]), "first"))
        except NotFoundError:
            return False
        return bool(first["type"] == "Frame")

    def _in_time(self, streams: list[Mapping[str, Json]]) -> Iterator[MediaElement]:
        """Elements of all streams by their time, so that the muxer can interleave them."""
        merged = heapq.merge(*(self._timed(stream) for stream in streams), key=lambda entry: entry[0])
        return (item for _, item in merged)

    def _timed(self, stream: Mapping[str, Json]) -> Iterator[tuple[Fraction, MediaElement]]:
        base, index = Fraction(*(stream.get("time_base") or (0, 1))), stream["index"]
        reference = self._wanted.range or _WHOLE
        has_range = self._wanted.range is not None
        name = self._wanted.content
        try:
            for document, planes in self._contents.elements_with_payload(
                name, str(index), reference, has_range
            ):
                end_s = (document["pts"] + (document.get("duration") or 1)) * base
                self._end_s = end_s if self._end_s is None else max(self._end_s, end_s)
                payload = planes or self._fetch(index, document)
                if payload:
                    element = to_element(read_element(document))
                    yield document["pts"] * base, MediaElement(index, element, _useful(element, payload))
        except NotFoundError:
            return

    def _fetch(self, index: int, document: Json) -> Sequence[Buffer]:
        """A payload that is not kept any more, if the service can have it made anew."""
        direct = f"{document['type'].lower()}_{document['pts']}"
        try:
            return (self._contents.payload(self._wanted.content, str(index), direct),)
        except NotFoundError:
            self._missing += 1
            return ()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._elements, 0)


def _useful(element: Element, planes: Sequence[Buffer]) -> Sequence[Buffer]:
    """The planes by their declared sizes: a stored packet may be padded, a frame may come in one piece."""
    sizes = element.plane_sizes
    if len(sizes) > 1 and len(planes) == 1:
        whole, ends = memoryview(planes[0]), list(accumulate(sizes))
        return [whole[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    if element.kind is ElementKind.PACKET and sizes:
        return (memoryview(planes[0])[: sizes[0]],)
    return planes


def _window(text: str | None) -> Window | None:
    if text is None:
        return None
    parsed = parse_reference(text)
    if not isinstance(parsed, Times) or parsed.last is None or parsed.last <= parsed.first:
        raise MalformedError(f"{text!r} is not a range of time, such as 10s-20s or 1m-1m30s")
    return Window(parsed.first, parsed.last)
