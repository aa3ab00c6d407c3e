"""Recipes ``jpeg`` and ``png``: one picture of a stream, decoded from its key frame on.

A moment of real time means the picture that is on show then, which may have begun earlier.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from jobengine.errors import MalformedError
from jobengine.model.beam.streams import kind_of_stream
from jobengine.model.casing import CamelModel
from jobengine.model.element import Element, ElementKind
from jobengine.model.recipe import Loaded, Recipe, Result, Source, Task
from jobengine.worker.convert.completing import complete

MAX_PIXELS = 64_000_000
Side = Annotated[int, Field(ge=1, le=16_384)]


class Size(CamelModel):
    """``width`` and ``height`` in pixels; one alone keeps the proportions, none keeps the size."""

    width: Side | None = None
    height: Side | None = None

    @model_validator(mode="after")
    def _refuse_giants(self) -> Size:
        if (self.width or 1) * (self.height or 1) > MAX_PIXELS:
            raise ValueError(f"width times height may be {MAX_PIXELS} pixels at most")
        return self


class Png(Recipe):
    """A PNG of the one element that is referred to."""

    least_sources = most_sources = 1
    kind: ClassVar[Literal["jpeg", "png"]] = "png"

    class Parameters(Size):
        """The size."""

    def run(self, task: Task, parameters: Any) -> Result:
        """The picture."""
        from jobengine.media.picture import PictureForm, picture_at
        from jobengine.worker.convert.media_elements import counted, media_elements

        source = task.sources[0]
        if kind_of_stream(source.stream) not in ("video", "unknown"):
            raise MalformedError(f"stream {source.index} of {source.content!r} holds no pictures")
        complete(task, task.sources)
        wanted = _one(source)
        element = wanted.stored.element
        pts = element.pts or 0
        is_raw = element.kind is ElementKind.FRAME
        loaded = iter([wanted]) if is_raw else _needed(source.from_key(pts), element)
        form = PictureForm(kind=self.kind, **parameters.model_dump())
        given = media_elements(source, counted(task, loaded), element.kind)
        picture = picture_at(source.stream, given, pts, form)
        shown_pts = pts if picture.pts is None else picture.pts  # FFmpeg takes the lowest of all for none
        return Result(picture.data, media_type=picture.media_type, headers={"Beam-PTS": str(shown_pts)})


class Jpeg(Png):
    """A JPEG of the one element that is referred to."""

    kind = "jpeg"

    class Parameters(Size):
        """The size; ``quality`` 1 to 100."""

        quality: Annotated[int, Field(ge=1, le=100)] = 85


def _needed(loaded: Iterator[Loaded], wanted: Element) -> Iterator[Loaded]:
    """All but what is gone and comes after the wanted one in order of decoding."""
    for item in loaded:
        element = item.stored.element
        times = (element.pts, wanted.pts) if None in (element.dts, wanted.dts) else (element.dts, wanted.dts)
        if item.planes is not None or (times[0] or 0) <= (times[1] or 0):
            yield item


def _one(source: Source) -> Loaded:
    """The element; of a packet and a frame at one time, the frame, which needs no decoding."""
    found: list[Loaded] = []
    for item in source.shown():
        if found and item.stored.element.pts != found[0].stored.element.pts:
            raise MalformedError(f"{source.reference!r} means several elements; a picture shows one")
        found.append(item)
    with_payload = [item for item in found if item.planes is not None] or found
    return max(with_payload, key=lambda item: item.stored.element.kind)
