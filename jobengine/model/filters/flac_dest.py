"""FLACDest, also named ``FLAC``: lossless compression before a FileWriter. ROAD has no such filter."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from jobengine.model.filters.filter import Filter, Place


class FlacDest(Filter):
    """16 or 24 bit, at most 8 channels; ``compressionLevel`` 0 (fast) to 12, 5 unless given."""

    place: ClassVar[Place] = Place.ENCODER
    max_channels: ClassVar[int] = 8
    resolutions_bit: ClassVar[tuple[int, ...]] = (16, 24)

    name: Literal["FLACDest"]
    title: str | None = None
    compression_level: int | None = Field(None, ge=0, le=12)
