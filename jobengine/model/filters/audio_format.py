"""Sample rate, resolution and channels, as numbers or in ROAD's words ``Sample44100`` and ``Res16Bit``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from jobengine.errors import Fault
from jobengine.model.casing import CamelModel

SAMPLE_RATES_HZ = range(4_000, 768_001)
RESOLUTIONS_BIT = (16, 24, 32)
CHANNELS = range(1, 129)

_SAMPLE_WORD = re.compile(r"\s*sample(\d+)\s*", re.IGNORECASE)
_RESOLUTION_WORD = re.compile(r"\s*res(\d+)bit\s*", re.IGNORECASE)


def _read_sample_word(value: Any) -> Any:
    match = _SAMPLE_WORD.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) if match else value


def _read_resolution_word(value: Any) -> Any:
    match = _RESOLUTION_WORD.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) if match else value


SampleRate = Annotated[int, BeforeValidator(_read_sample_word, json_schema_input_type=int | str)]
Resolution = Annotated[int, BeforeValidator(_read_resolution_word, json_schema_input_type=int | str)]


class AudioFormat(CamelModel):
    """Linear PCM: rate in Hz, resolution in bits (32 is float), channels. The rest follows from the input."""

    key_synonyms: ClassVar[Mapping[str, str]] = {"numberofchannels": "channels"}

    sample_rate: SampleRate | None = Field(
        None, description="Samples per second in each channel, 4000 to 768000; also Sample44100."
    )
    resolution: Resolution | None = Field(
        None, description="Bits of a sample: 16, 24, or 32 for float; also Res16Bit."
    )
    channels: int | None = Field(None, description="1 to 128.")

    def check(self) -> Iterator[Fault]:
        """Values out of range; pointers are relative to the format."""
        if self.sample_rate is not None and self.sample_rate not in SAMPLE_RATES_HZ:
            yield Fault("/sampleRate", f"{self.sample_rate} Hz is out of range; 4000 to 768000 are possible")
        if self.resolution is not None and self.resolution not in RESOLUTIONS_BIT:
            yield Fault("/resolution", f"{self.resolution} bit is not possible; 16, 24 and 32 (float) are")
        if self.channels is not None and self.channels not in CHANNELS:
            yield Fault("/channels", f"{self.channels} channels are out of range; 1 to 128 are possible")
