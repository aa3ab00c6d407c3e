"""FLACDest, also named ``FLAC``: lossless compression before a FileWriter. ROAD has no such filter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from jobengine.errors import Fault
from jobengine.model.filters.audio_format import AudioFormat
from jobengine.model.filters.filter import Filter, Place


class FlacDest(Filter):
    """16 or 24 bit, at most 8 channels; ``compressionLevel`` 0 (fast) to 12, 5 unless given."""

    place: ClassVar[Place] = Place.ENCODER
    max_channels: ClassVar[int] = 8
    resolutions_bit: ClassVar[tuple[int, ...]] = (16, 24)

    name: Literal["FLACDest"] = Field(description="Names this filter; FLAC is the same.")
    title: str | None = Field(None, description="Title, kept in the file's tags.")
    compression_level: int | None = Field(
        None, ge=0, le=12, description="0 (fast) to 12 (small); 5 unless given."
    )

    def check_format(self, wanted: AudioFormat) -> Iterator[Fault]:
        if (wanted.channels or 0) > self.max_channels:
            yield Fault("/channels", f"FLAC holds at most {self.max_channels} channels")
        if wanted.resolution not in (None, *self.resolutions_bit):
            yield Fault("/resolution", "FLAC is written with 16 or 24 bit, not as float")
