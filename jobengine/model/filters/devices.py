"""Sound devices of ROAD's Windows hosts: accepted as documents, so old jobs can be posted and read.

No such device exists here; opening one fails with a sentence (``media/devices.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from jobengine.errors import Fault
from jobengine.model.casing import CamelModel
from jobengine.model.filters.audio_format import Resolution, SampleRate
from jobengine.model.filters.filter import Filter, Place
from jobengine.model.roots import MediaRoots

_CHANNEL_LIST = re.compile(r"\s*\d+\s*(,\s*\d+\s*)*")


class DeviceFormat(CamelModel):
    """Rate and resolution asked of a device; a rate of 0 lets it choose."""

    sample_rate: SampleRate | None = Field(None, description="Samples per second; 0 lets the device choose.")
    resolution: Resolution | None = Field(None, description="Bits of a sample.")


class AsioDevice(CamelModel):
    """``name``: a unique part of the driver's name. ``channels``: comma list, 0-based."""

    name: str | None = Field(None, description="A unique part of the driver's name.")
    channels: str | None = Field(None, description="Channel numbers from 0, with commas between.")


class WasapiDevice(CamelModel):
    """``name``: a unique part of the device's name. ``loopback`` records what a playback device plays."""

    name: str | None = Field(None, description="A unique part of the device's name.")
    loopback: bool | None = Field(None, description="Records what a playback device plays.")
    exclusive_mode: bool | None = Field(None, description="Asks for the device alone.")


class Device(Filter):
    """What the four device filters share."""

    @property
    def device_name(self) -> str:
        """The name asked for, or the empty string."""
        device: AsioDevice | WasapiDevice | None = getattr(self, "device", None)
        return (device.name if device else None) or ""


class _Asio(Device):
    device: AsioDevice | None = Field(None, description="Which device.")
    format: DeviceFormat | None = Field(None, description="What is asked of the device.")
    allow_different_sample_rate: bool | None = Field(
        None, description="Takes another rate where the device can't do the one asked for."
    )

    def check(self, roots: MediaRoots) -> Iterator[Fault]:
        if not self.device_name:
            yield Fault("/device/name", f"{self.name} needs the device's name")
        channels = self.device.channels if self.device else None
        if channels is not None and not _CHANNEL_LIST.fullmatch(channels):
            yield Fault("/device/channels", "is a comma list of channel numbers from 0, such as 0,1")


class AsioSource(_Asio):
    """Records channels of an ASIO device."""

    place: ClassVar[Place] = Place.SOURCE

    name: Literal["ASIO Source"] = Field(description="Names this filter.")
    lawo_r3lay_name: str | None = Field(
        None,
        alias="lawoR3layName",
        description="ROAD's name of a Lawo R3LAY source; kept, and not interpreted.",
    )


class AsioRenderer(_Asio):
    """Plays on channels of an ASIO device."""

    place: ClassVar[Place] = Place.SINK

    name: Literal["ASIO Renderer"] = Field(description="Names this filter.")


class WasapiSource(Device):
    """Records a Windows audio device, or what it plays."""

    place: ClassVar[Place] = Place.SOURCE

    name: Literal["WASAPI Source"] = Field(description="Names this filter.")
    device: WasapiDevice | None = Field(None, description="Which device.")
    format: DeviceFormat | None = Field(None, description="What is asked of the device.")


class SoundMapper(Device):
    """Plays on the system's default device."""

    place: ClassVar[Place] = Place.SINK

    name: Literal["SoundMapper"] = Field(description="Names this filter.")
