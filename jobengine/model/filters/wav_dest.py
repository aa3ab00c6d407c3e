"""WAVDest: RIFF/BWF or RF64 with ROAD's ``bext`` fields, before a FileWriter."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from jobengine.model.casing import CamelModel
from jobengine.model.filters.filter import Filter, Place


def _refuse(key: str) -> Any:
    def check(value: Any) -> Any:
        if value not in (None, 0, False):
            raise ValueError(f"{key} of WAVDest is not supported yet; leave it out")
        return value

    return AfterValidator(check)


class OriginatorReference(CamelModel):
    """Parts of the OriginatorReference by EBU R 99; time and random number are added later."""

    country_code: str | None = Field(None, pattern=r"^[A-Za-z]{2}$", description="Two letters, ISO 3166.")
    organization_code: str | None = Field(
        None, pattern=r"^[A-Za-z0-9]{3}$", description="Three letters or digits."
    )
    serial_number: str | None = Field(
        None, pattern=r"^[A-Za-z0-9]{1,12}$", description="Up to twelve letters or digits."
    )


class WavDest(Filter):
    """``title`` is the BWF Description. ``writeRF64`` and ``writeLevlChunk`` are on unless switched off."""

    place: ClassVar[Place] = Place.ENCODER

    name: Literal["WAVDest"] = Field(description="Names this filter.")
    title: str | None = Field(None, description="The Description of the file's bext chunk.")
    originator: str | None = Field(None, description="The Originator of the bext chunk.")
    originator_ref: OriginatorReference | None = Field(
        None, description="The parts of the bext chunk's OriginatorReference."
    )
    write_rf64: bool | None = Field(
        None, alias="writeRF64", description="Goes on as RF64 past 4 GB, unless false."
    )
    write_levl_chunk: bool | None = Field(
        None, description="Writes the peak envelope of EBU 3285 supplement 3, unless false."
    )
    channel_configuration: Annotated[Any, _refuse("channelConfiguration")] = Field(
        None, description="Not there yet."
    )
    overlap_on_switch: Annotated[Any, _refuse("overlapOnSwitch")] = Field(None, description="Not there yet.")
    create_mpeg: Annotated[Any, _refuse("createMpeg")] = Field(None, description="Not there yet.")
