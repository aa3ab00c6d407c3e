"""ContentWriter: the end of an output graph that records into a stream of a content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from jobengine.errors import Fault
from jobengine.model.filters.audio_format import AudioFormat
from jobengine.model.filters.filter import Filter, Place
from jobengine.model.roots import MediaRoots

Codec = Literal["pcm", "flac", "aac", "opus", "mp3"]


@dataclass(frozen=True, slots=True)
class Ability:
    """What a codec can hold. ``resolutions_bit`` is empty where it has none."""

    max_channels: int
    resolutions_bit: tuple[int, ...] = ()
    sample_rates_hz: tuple[int, ...] = ()


ABILITIES: Mapping[Codec, Ability] = {
    "pcm": Ability(128, (16, 24, 32)),
    "flac": Ability(8, (16, 24)),
    "aac": Ability(8, (), (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)),
    "opus": Ability(8, (), (8_000, 12_000, 16_000, 24_000, 48_000)),
    "mp3": Ability(2, (), (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)),
}
MAX_NAME_BYTES = 400


class ContentWriter(Filter):
    """``content`` is made if there is none of that name, and may hold ``${StartTime|…}``. ``stream`` is a
    stream's number; without one a new stream is added. ``bitRate`` in bits per second is for aac, opus and
    mp3.
    """

    place: ClassVar[Place] = Place.SINK

    name: Literal["ContentWriter"] = Field(description="Names this filter.")
    content: str | None = Field(None, description="Name of the content; it is made if there is none.")
    stream: int | None = Field(
        None, ge=0, le=65_535, description="Number of the stream; left out, a new stream is added."
    )
    codec: Codec | None = Field(None, description="How sound is kept; pcm unless given.")
    bit_rate: int | None = Field(
        None, ge=6_000, le=2_000_000, description="Bits per second, for aac, opus and mp3."
    )

    def check(self, roots: MediaRoots) -> Iterator[Fault]:
        if not self.content:
            yield Fault("/content", "is missing; the name of the content to record into")
        elif len(self.content.encode()) > MAX_NAME_BYTES:
            yield Fault("/content", f"is longer than {MAX_NAME_BYTES} bytes")
        if self.bit_rate is not None and self.codec in (None, "pcm", "flac"):
            yield Fault("/bitRate", "is for aac, opus and mp3; pcm and flac keep every sample")

    def check_format(self, wanted: AudioFormat) -> Iterator[Fault]:
        codec: Codec = self.codec or "pcm"
        ability = ABILITIES[codec]
        if (wanted.channels or 0) > ability.max_channels:
            yield Fault("/channels", f"{codec} holds at most {ability.max_channels} channels")
        if wanted.resolution is not None and wanted.resolution not in ability.resolutions_bit:
            yield Fault("/resolution", _resolution_fault(codec, ability))
        rates = ability.sample_rates_hz
        if wanted.sample_rate is not None and rates and wanted.sample_rate not in rates:
            yield Fault("/sampleRate", f"{codec} is written at {', '.join(map(str, rates))} Hz")


def _resolution_fault(codec: str, ability: Ability) -> str:
    if not ability.resolutions_bit:
        return f"means nothing to {codec}; leave it out"
    return f"{codec} is written with {', '.join(map(str, ability.resolutions_bit))} bit"
