"""Sound devices that documents may name and this machine does not have."""

from __future__ import annotations

from typing import NoReturn

from jobengine.errors import MediaError
from jobengine.model.filters.devices import Device


def refuse_device(device: Device, host: str) -> NoReturn:
    """Always raises MediaError with a sentence for people."""
    wanted = f" {device.device_name!r}" if device.device_name else ""
    raise MediaError(
        f"there is no such device on this machine ({host}): "
        f"{device.name}{wanted} needs a Windows audio driver",
        filter=device.name,
        device=device.device_name,
    )
