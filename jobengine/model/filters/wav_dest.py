"""WAVDest: RIFF/BWF or RF64 with ROAD's ``bext`` fields, before a FileWriter."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from jobengine.model.casing import CamelModel
from jobengine.model.filters.filter import Filter, Place


def _refuse(key: str) -> Any:
    def check(value: Any) -> Any:
        if value not in (None, 0, False):
            raise ValueError(f"{key} of WAVDest is not there yet; leave it out")
        return value

    return AfterValidator(check)


class OriginatorReference(CamelModel):
    """Parts of the OriginatorReference by EBU R 99; time and random number are added later."""

    country_code: str | None = Field(None, pattern=r"^[A-Za-z]{2}$")
    organization_code: str | None = Field(None, pattern=r"^[A-Za-z0-9]{3}$")
    serial_number: str | None = Field(None, pattern=r"^[A-Za-z0-9]{1,12}$")


class WavDest(Filter):
    """``title`` is the BWF Description. ``writeRF64`` and ``writeLevlChunk`` are on unless switched off."""

    place: ClassVar[Place] = Place.ENCODER

    name: Literal["WAVDest"]
    title: str | None = None
    originator: str | None = None
    originator_ref: OriginatorReference | None = None
    write_rf64: bool | None = Field(None, alias="writeRF64")
    write_levl_chunk: bool | None = None
    channel_configuration: Annotated[Any, _refuse("channelConfiguration")] = None
    overlap_on_switch: Annotated[Any, _refuse("overlapOnSwitch")] = None
    create_mpeg: Annotated[Any, _refuse("createMpeg")] = None
