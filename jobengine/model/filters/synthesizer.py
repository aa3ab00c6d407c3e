"""Audio Synthesizer: a test signal, either ROAD's waveform or one generator of FFmpeg's lavfi."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from jobengine.errors import Fault
from jobengine.model.casing import CamelModel
from jobengine.model.filters.audio_format import AudioFormat
from jobengine.model.filters.filter import Filter, Place
from jobengine.model.roots import MediaRoots

GENERATORS = ("aevalsrc", "anoisesrc", "anullsrc", "hilbert", "sinc", "sine")

_LAVFI = re.compile(r"(?P<generator>[a-z]+)(=(?P<options>[^,;\[\]'\"\\\s\x00]+))?")
_ADVICE = (
    "is one generator with its options, such as sine=frequency=1000; "
    f"known are {', '.join(GENERATORS)}; "
    "commas, semicolons, brackets, quotes, backslashes and spaces are not allowed"
)


def split_generator(source: str) -> tuple[str, str]:
    """Name and options of a generator. Raises ValueError for whatever could be more than that.

    ``/name=…`` makes FFmpeg read an option's value from a file, so no option may begin with a slash.
    """
    match = _LAVFI.fullmatch(source)
    if not match or match["generator"] not in GENERATORS:
        raise ValueError(_ADVICE)
    options = match["options"] or ""
    if any(option.startswith("/") for option in options.split(":")):
        raise ValueError("has an option that would be read from a file")
    return match["generator"], options


def _read_form(value: Any) -> Any:
    return value.strip().capitalize() if isinstance(value, str) else value


class Waveform(CamelModel):
    """``frequency`` in Hz (440), ``amplitude`` in per cent of full scale (50), ``form`` Rect unless given."""

    form: Annotated[Literal["Sine", "Rect"], BeforeValidator(_read_form)] | None = Field(
        None, description="Rect unless given."
    )
    frequency: float | None = Field(None, gt=0, le=384_000, description="Hz; 440 unless given.")
    amplitude: float | None = Field(
        None, ge=0, le=100, description="Per cent of full scale; 50 unless given."
    )


class AudioSynthesizer(Filter):
    """Paced by the clock unless ``realTime`` is false. A waveform is the same on all channels."""

    place: ClassVar[Place] = Place.SOURCE

    name: Literal["Audio Synthesizer"] = Field(description="Names this filter.")
    format: AudioFormat | None = Field(None, description="Rate and channels of the signal.")
    waveform: Waveform | None = Field(None, description="ROAD's test signal, the same on all channels.")
    source: str | None = Field(
        None,
        description="Instead of a waveform: one generator of FFmpeg with its options, sine=frequency=1000.",
    )
    real_time: bool | None = Field(None, description="Paces the job by the clock unless false.")

    def check(self, roots: MediaRoots) -> Iterator[Fault]:
        if self.source is not None and self.waveform is not None:
            yield Fault("/source", "stands beside waveform; give one of the two")
        if self.source is not None:
            try:
                split_generator(self.source)
            except ValueError as error:
                yield Fault("/source", str(error))
        for fault in self.format.check() if self.format else ():
            yield Fault(f"/format{fault.pointer}", fault.detail)
