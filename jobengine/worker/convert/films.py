"""Recipes ``mp4``, ``mpegts`` and ``wav``: a range over chosen streams as a file, copied where possible."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from jobengine.errors import MalformedError, NotFoundError
from jobengine.media.window import Window
from jobengine.model.beam.streams import kind_of_stream, time_base_of
from jobengine.model.casing import CamelModel
from jobengine.model.element import ElementKind
from jobengine.model.media_reference import LAST, Places, Times, parse_reference
from jobengine.model.recipe import Loaded, Recipe, Result, Source, Task
from jobengine.worker.convert.completing import complete

_CHOICE = re.compile(r"(?:[0-9]+|video|audio|subtitle)(?:,(?:[0-9]+|video|audio|subtitle))*")
GAPS = "Beam-Gaps"
MAX_GAPS = 100
"""How many a header tells."""
BEHIND = 64
"""Elements after the end that decoding of earlier ones may need."""


class Film(Recipe):
    """A file of the range that the sources' references name. What can't be put in is left out, and so are
    streams that have nothing there; where payload is gone, the file has a hole, told by the header
    ``Beam-Gaps``."""

    container: ClassVar[str]
    suffix: ClassVar[str]
    media_type: ClassVar[str]
    kinds: ClassVar[frozenset[str]] = frozenset({"video", "audio", "subtitle"})

    def run(self, task: Task, parameters: Any) -> Result:
        """The file."""
        from jobengine.media.mux import Muxer
        from jobengine.media.ordering import in_decode_order
        from jobengine.worker.convert.media_elements import media_element

        chosen = self.chosen(task, parameters)
        complete(task, chosen)
        parts = _parts(chosen)
        window = _window(parts)
        raw = [part.source.index for part in parts if part.kind is ElementKind.FRAME]
        path = task.new_file(self.suffix)
        streams = [part.source.stream for part in parts]
        muxer = Muxer(path, self.container, streams, window, raw=raw)
        gaps = _Gaps(window)
        try:
            found = gaps.passed_over(_by_time(parts, window))
            for item in in_decode_order(media_element(*each) for each in found):
                task.passed()
                muxer.write(item)
        except BaseException:
            muxer.abandon()
            raise
        muxer.close()
        return Result(file=path, media_type=self.media_type, headers=gaps.headers())

    def chosen(self, task: Task, parameters: Any) -> Sequence[Source]:
        """The sources that this container is for."""
        found = [source for source in task.sources if kind_of_stream(source.stream) in self.kinds]
        if not found:
            wanted = " or ".join(sorted(self.kinds))
            raise MalformedError(f"none of the streams holds {wanted}, so there is nothing to be written")
        return found


def _check_choice(text: str) -> str:
    if not _CHOICE.fullmatch(text):
        raise ValueError("must be indexes or kinds, separated by commas, such as 0,2 or video,audio")
    return text


class _Streams(CamelModel):
    """``streams``: which of the sources go into the file, by index (``0,2``) or kind (``video,audio``),
    each first of its kind; none given: all."""

    streams: Annotated[str, Field(max_length=500), AfterValidator(_check_choice)] | None = None


class _Mixed(Film):
    """A container for pictures and sound."""

    class Parameters(_Streams):
        """The choice of streams."""

    def chosen(self, task: Task, parameters: _Streams) -> Sequence[Source]:
        found = super().chosen(task, parameters)
        if parameters.streams is None:
            return found
        return [_named(found, name) for name in dict.fromkeys(parameters.streams.split(","))]


class Mp4(_Mixed):
    """MP4, cut exactly by an edit list."""

    container, suffix, media_type = "mp4", ".mp4", "video/mp4"


class MpegTs(_Mixed):
    """MPEG transport stream; a range begins at the key frame before it."""

    container, suffix, media_type = "mpegts", ".ts", "video/mp2t"


class Wav(Film):
    """WAV of one stream of sound, cut to the sample."""

    container, suffix, media_type = "wav", ".wav", "audio/wav"
    kinds = frozenset({"audio"})

    def chosen(self, task: Task, parameters: Any) -> Sequence[Source]:
        return super().chosen(task, parameters)[:1]


def _named(sources: Sequence[Source], name: str) -> Source:
    for source in sources:
        if name in (str(source.index), kind_of_stream(source.stream)):
            return source
    raise MalformedError(f"streams: none of the streams is {name!r}")


class _Gaps:
    """Elements whose payload is gone, and those after them that can't be decoded without: up to the next key
    element. Those in the window are told as runs of each stream: [index, first pts, last pts]."""

    def __init__(self, window: Window | None) -> None:
        self._window = window
        self._runs: list[list[int]] = []
        self._open: dict[int, list[int]] = {}

    def passed_over(self, items: Iterator[tuple[Source, Loaded]]) -> Iterator[tuple[Source, Loaded]]:
        """The others. Raises NotFoundError if there is no other."""
        is_any, first = False, None
        for source, item in items:
            is_whole = source.index not in self._open or item.stored.element.is_key
            if item.planes is not None and is_whole:
                is_any = True
                self._open.pop(source.index, None)
                yield source, item
                continue
            first = first or (source, item)
            self._note(source, item.stored.element.pts or 0)
        if first is not None and not is_any:
            yield first  # says which payload is not there

    def headers(self) -> dict[str, str]:
        """What tells a client of them; nothing if there were none."""
        return {GAPS: json.dumps(self._runs[:MAX_GAPS])} if self._runs else {}

    def _note(self, source: Source, pts: int) -> None:
        run = self._open.setdefault(source.index, [source.index])
        if not self._is_inside(source, pts):
            return
        if len(run) == 1:
            run += [pts, pts]
            self._runs.append(run)
        run[1:] = [min(run[1], pts), max(run[2], pts)]

    def _is_inside(self, source: Source, pts: int) -> bool:
        base = time_base_of(source.stream)
        if self._window is None or base is None:
            return True
        end = self._window.end_in(base)
        return pts >= self._window.first_in(base) and (end is None or pts < end)


def _parts(sources: Sequence[Source]) -> list[_Part]:
    """Those that have a time base and something in the range.

    Raises NotFoundError if none has anything there, MalformedError if none has a time base.
    """
    found: list[_Part] = []
    missing: NotFoundError | None = None
    for source in [each for each in sources if time_base_of(each.stream) is not None] or sources:
        try:
            found.append(_Part(source))
        except NotFoundError as error:
            missing = missing or error
    if not found and missing is not None:
        raise missing
    return found


class _Part:
    """A source on its way into a file."""

    def __init__(self, source: Source) -> None:
        base = time_base_of(source.stream)
        if base is None:
            raise MalformedError(f"stream {source.index} has no time_base, so its times mean nothing")
        self.source = source
        self.base = base
        first, last = source.bounds()
        self.first_pts, self.last_pts = first, last
        self.kind = next(iter(source.elements())).stored.element.kind

    def from_window(self, window: Window | None) -> Iterator[Loaded]:
        """What the window needs: from the key element before it to some elements after it."""
        if window is None:
            yield from self._of_kind(self.source.elements())
            return
        end, behind = window.end_in(self.base), 0
        for item in self._of_kind(self.source.from_key(window.first_in(self.base))):
            behind += end is not None and (item.stored.element.pts or 0) >= end
            if behind > BEHIND:
                return
            yield item

    def _of_kind(self, items: Iterator[Loaded]) -> Iterator[Loaded]:
        return (item for item in items if item.stored.element.kind is self.kind)


def _window(parts: Sequence[_Part]) -> Window | None:
    """The range in seconds, as the pictures have it if there are any; None: everything."""
    leader = next((part for part in parts if kind_of_stream(part.source.stream) == "video"), parts[0])
    reference = parse_reference(leader.source.reference)
    if isinstance(reference, Times) and reference.last is not None:
        return Window(reference.first, reference.last)
    if reference == Places(0, LAST):
        return None
    return Window(leader.first_pts * leader.base, (leader.last_pts + 1) * leader.base)


def _by_time(parts: Sequence[_Part], window: Window | None) -> Iterator[tuple[Source, Loaded]]:
    """The elements of all parts in common order of time, so that they lie side by side in the file."""

    def timed(place: int, part: _Part) -> Iterator[tuple[Fraction, int, int, Loaded]]:
        for number, item in enumerate(part.from_window(window)):
            yield (item.stored.element.pts or 0) * part.base, place, number, item

    for _, place, _, item in heapq.merge(*(timed(place, part) for place, part in enumerate(parts))):
        yield parts[place].source, item
