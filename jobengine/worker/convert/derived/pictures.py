"""Makes pictures of a derived stream: raw frames, pictures of their own, or packets that need others.

Packets that need others are made in runs, each with a key packet at its beginning. Runs lie on a grid of
`RUN` seconds of the stream's time: so a run is the same whichever of its packets was asked for, and all
renditions of a source have their key packets at the same moments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Any, Literal

from jobengine.contents.look_up import pts_of
from jobengine.media.codec_setup import parameters_of
from jobengine.media.coded_pictures import Coded, CodedPictures
from jobengine.media.filtering import filtered_pictures
from jobengine.media.picture import PictureForm, encode_picture
from jobengine.media.picture_span import pictures_between
from jobengine.media.raw_planes import frame_element, shaped
from jobengine.model.element import PTS_MIN, Element, ElementKind
from jobengine.model.media_reference import Direct
from jobengine.worker.convert.derived.derivation import Derivation, Input
from jobengine.worker.convert.derived.filling import Filling
from jobengine.worker.convert.derived.times import LeadingTimes

Json = Any
RUN = Fraction(2)
"""Seconds from one key packet to the next."""
Shown = tuple[Any, int, int | None]
"""A decoded picture, its pts and its duration."""
_STILLS: dict[str, Literal["jpeg", "png"]] = {"mjpeg": "jpeg", "png": "png"}


class PictureMaker:
    """Makes elements of one stream of pictures."""

    def __init__(self, derivation: Derivation, filling: Filling) -> None:
        self._derivation = derivation
        self._stream = derivation.stream
        self._base = derivation.time_base
        self._codec = parameters_of(derivation.stream)
        self._filling = filling
        self._times = LeadingTimes(derivation, filling)
        self.moments = self._times.moments
        self.following = self._times.following
        self.learnt: dict[str, Json] = {}
        """What was found out for the ``codecpar`` of the stream; complete when `make` has ended."""

    def unit(self, wanted: Direct) -> str:
        """What is made together with ``wanted``: the same for all of it."""
        return f"run {self._run(wanted.pts)}" if self._is_run(wanted.kind) else str(wanted)

    def make(self, wanted: Direct, ahead: int) -> Iterator[Coded]:
        """``wanted`` with the rest of its run, or with up to ``ahead`` further ones; nothing where the source
        has nothing. Raises MediaError or NotFoundError."""
        first, end = self._times.stretch(wanted, ahead)
        if first == end:
            return
        if self._is_run(wanted.kind):
            yield from self._encoded(self._pictures(*self._bounds(self._run(wanted.pts))))
            return
        for frame, pts, duration in self._pictures(first, end):
            is_raw = wanted.kind is ElementKind.FRAME
            yield self._raw(frame, pts, duration) if is_raw else self._still(frame, pts, duration)

    def complete(self, kind: ElementKind, at: Fraction) -> Direct | None:
        """The last one for which nothing more is to come, once the source has come to ``at`` seconds."""
        if not self._is_run(kind):
            return self._times.at(kind, at)
        found = self.moments(*self._bounds(floor(at / RUN) - 1))
        return Direct(kind, found[-1]) if found else None

    def _is_run(self, kind: ElementKind) -> bool:
        return kind is ElementKind.PACKET and self._codec.get("name") not in _STILLS

    def _run(self, pts: int) -> int:
        return floor(pts * self._base / RUN)

    def _bounds(self, run: int) -> tuple[int, int]:
        return ceil(run * RUN / self._base), ceil((run + 1) * RUN / self._base)

    def _pictures(self, first: int, end: int) -> Iterator[Shown]:
        """Pictures with their pts and duration in ticks of the stream, each pts once."""
        times = self._times
        begin, stop = times.to_source(first), times.to_source(end)
        durations = {
            pts_of(stored): stored.element.duration
            for stored in self._filling.listed(times.source, begin, stop)
        }
        before = None
        for source_pts, frame in self._filtered(begin, stop):
            pts = times.to_target(source_pts)
            if pts != before and self._derivation.contains(pts * self._base):
                yield frame, pts, times.length(durations.get(source_pts))
            before = pts

    def _filtered(self, begin: int, stop: int) -> Iterator[tuple[int, Any]]:
        """Pictures from one tick of the leading source to another (exclusive), with their ticks there."""
        derivation, shift = self._derivation, self._times.shift
        if derivation.graph is None:
            yield from self._decoded(derivation.inputs[0], begin, stop)
            return
        tick = derivation.inputs[0].time_base
        span = (begin + shift) * tick, (stop + shift) * tick
        inputs = [self._shifted(each, *span) for each in derivation.inputs]
        for ticks, frame in filtered_pictures(derivation.graph, tick, inputs):
            if ticks - shift >= stop:
                return
            if ticks - shift >= begin:
                yield ticks - shift, frame

    def _shifted(self, given: Input, first_s: Fraction, end_s: Fraction) -> Iterator[tuple[int, Any]]:
        """Pictures of a source on the time of the stream, in ticks of the leading source."""
        tick = self._derivation.inputs[0].time_base
        shift = round(given.shift_s / given.time_base)
        begin, stop = (ceil(t / given.time_base) - shift for t in (first_s, end_s))
        for pts, frame in self._decoded(given, begin, stop, with_lead=True):
            yield round((pts + shift) * given.time_base / tick), frame

    def _decoded(
        self, given: Input, begin: int, stop: int, with_lead: bool = False
    ) -> Iterator[tuple[int, Any]]:
        """Pictures with their pts; ``with_lead``: also those before ``begin`` that had to be decoded."""
        elements = self._filling.from_key(given.source, begin, stop)
        first = PTS_MIN if with_lead else begin
        for frame in pictures_between(given.source.stream, elements, first, stop):
            yield frame.pts or 0, frame

    def _encoded(self, pictures: Iterator[Shown]) -> Iterator[Coded]:
        encoder = CodedPictures(self._stream, self._rate())
        for frame, pts, duration in pictures:
            yield from encoder.take(frame, pts, duration)
        yield from encoder.finish()
        self.learnt = encoder.learnt

    def _rate(self) -> Sequence[int] | None:
        """How many pictures a second the source tells of, as fast as it goes here."""
        leader = self._derivation.inputs[0]
        given = leader.source.stream.get("avg_frame_rate")
        return given and (given[0] * leader.speed.numerator, given[1] * leader.speed.denominator)

    def _raw(self, frame: Any, pts: int, duration: int | None) -> Coded:
        return frame_element(shaped(frame, self._codec), pts, duration)

    def _still(self, frame: Any, pts: int, duration: int | None) -> Coded:
        form = PictureForm(_STILLS[self._codec["name"]], self._codec.get("width"), self._codec.get("height"))
        data = encode_picture(frame, self._times.source.stream, form).data
        sizes = (len(data),)
        return Element(ElementKind.PACKET, pts, pts, duration, is_key=True, plane_sizes=sizes), [data]
