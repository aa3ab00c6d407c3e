"""Sound devices that documents may name and this machine does not have."""

from __future__ import annotations

from typing import NoReturn

from jobengine.errors import MediaError
from jobengine.model.filters.devices import Device
from jobengine.model.filters.filter import Filter


def refuse_device(device: Filter, host: str) -> NoReturn:
    """Always raises MediaError with a sentence for people."""
    assert isinstance(device, Device)
    wanted = f" {device.device_name!r}" if device.device_name else ""
    raise MediaError(
        f"there is no such device on this machine ({host}): {device.name}{wanted} needs a Windows audio driver",
        filter=device.name,
        device=device.device_name,
    )
