"""Where a re-streaming job begins: an anchor in the stored stream, and an offset back from it.

A job always begins with a key element, so that what it sends can be decoded. What is looked up where is
in `jobengine.worker.restream.look_up`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Discriminator, Field, PlainSerializer, Tag, field_validator, model_validator

from jobengine.clock import to_text
from jobengine.model.casing import CamelModel
from jobengine.model.trigger import read_utc

MAX_BLOCKS = 1_000_000
MAX_OFFSET_S = 10 * 366 * 24 * 3600


class AnchorPlace(CamelModel):
    """Exactly one of: the id of a ``key`` element; of any ``element`` (its key element is meant); a wall
    ``time`` (the last key element made by then); a ``pts`` (the last key element at or before it)."""

    key: UUID | None = Field(None, description="Id of a key element.")
    element: UUID | None = Field(None, description="Id of any element; its key element is meant.")
    time: Annotated[datetime, PlainSerializer(to_text, when_used="json")] | None = Field(
        None, description="Wall time; the last key element made by then."
    )
    pts: int | None = Field(
        None,
        ge=-(2**63),
        lt=2**63,
        description="Timestamp in the stream's time base; the last key element at or before it.",
    )

    @field_validator("time", mode="before")
    @classmethod
    def _utc(cls, value: Any) -> Any:
        return read_utc(value)

    @model_validator(mode="after")
    def _exactly_one(self) -> AnchorPlace:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"must hold exactly one of key, element, time and pts, not {len(given)}")
        return self


def _form(value: Any) -> str:
    return "anchor:word" if isinstance(value, str) else "anchor:object"


Anchor = Annotated[
    Annotated[Literal["first", "latest", "start"], Tag("anchor:word")]
    | Annotated[AnchorPlace, Tag("anchor:object")],
    Discriminator(_form),
]
"""``first`` and ``latest`` are key elements of the stream; ``start`` is the last one made before the job
first ran, so an Event trigger that starts it anchors it at the event."""


class Offset(CamelModel):
    """How far before the anchor: ``blocks`` (key elements), or ``seconds``, told by ``by``.

    ``mediaTime`` counts timestamps, ``creationTime`` the times in the elements' ids. The job begins at the
    last key element that is at least so far back, or at the oldest that is left.
    """

    blocks: int | None = Field(None, ge=0, le=MAX_BLOCKS, description="Key elements before the anchor.")
    seconds: float | None = Field(None, ge=0, le=MAX_OFFSET_S, description="Seconds before the anchor.")
    by: Literal["mediaTime", "creationTime"] = Field(
        "mediaTime", description="What tells the seconds: timestamps, or the times in the elements' ids."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Offset:
        if (self.blocks is None) == (self.seconds is None):
            raise ValueError("must hold either blocks or seconds")
        return self
