"""ContentSource: plays a stream of sound of a content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from jobengine.errors import Fault, MalformedError
from jobengine.model.filters.filter import Filter, Place
from jobengine.model.media_reference import (
    Places,
    Relative,
    Stamps,
    Times,
    parse_reference,
)
from jobengine.model.roots import MediaRoots


def _check_moment(text: str) -> str:
    """One moment or one element, no range, nothing that has to be searched."""
    try:
        found = parse_reference(text)
    except MalformedError as error:
        raise ValueError(error.detail) from error
    is_range = isinstance(found, Stamps | Times | Places) and found.last is not None
    if is_range or isinstance(found, Relative) or (isinstance(found, Stamps) and found.is_fuzzy):
        raise ValueError("must be one moment or element, such as 1m30s, 108000, start, 25th or id_…")
    return text


Moment = Annotated[str, AfterValidator(_check_moment)]


class ContentSource(Filter):
    """``from`` and ``to`` are media references of one moment or element; a moment ``to`` is where the sound
    ends, an element ``to`` is the last one heard. ``follow`` goes on at the live end until the stream is
    closed. ``realTime`` paces the job by the clock.
    """

    place: ClassVar[Place] = Place.SOURCE

    name: Literal["ContentSource"] = Field(description="Names this filter.")
    content: str | None = Field(None, description="Name of the content.")
    stream: str | None = Field(
        None,
        description="A stream's number or name, such as 2 or audio_1; left out, the first stream of sound.",
    )
    from_: Moment | None = Field(
        None,
        alias="from",
        description="Where to begin: a media reference such as 1m30s; left out, at the first element.",
    )
    to: Moment | None = Field(None, description="Where to end: a media reference; left out, at the end.")
    follow: bool | None = Field(None, description="Goes on at the live end until the stream is closed.")
    real_time: bool | None = Field(
        None, description="Paces the job by the clock; otherwise it runs as fast as it can."
    )

    def check(self, roots: MediaRoots) -> Iterator[Fault]:
        if not self.content:
            yield Fault("/content", "is missing; the name of the content to play")
        if self.follow and self.to is not None:
            yield Fault("/follow", "goes on to the end of the stream; leave out either it or to")
