"""Where the sockets of one service are.

Unix socket paths may hold 107 bytes, and workers must find the next service by the same path, so the
folder is made from a hash of the data directory below the host's temporary folder, for this user only.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from jobengine.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Addresses:
    """ZeroMQ endpoints: ``requests`` (http to engine), ``notices`` (engine to http), ``workers``.

    ``http``: path of the socket at which the http process listens if a proxy stands before it.
    ``rehearsals``: path of the folder in which workers that wait for jobs rehearse.
    """

    requests: str
    notices: str
    workers: str
    http: str
    rehearsals: str


def addresses(data: Path) -> Addresses:
    """The endpoints of the service that owns ``data``; makes their folder.

    Raises SettingsError if the folder belongs to somebody else or others may enter it.
    """
    digest = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"jobengine-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != os.getuid()
        or stat.S_IMODE(status.st_mode) & 0o077
    ):
        raise SettingsError(f"{folder} must be a folder of this user alone (mode 0700)")
    requests, notices, workers = (f"ipc://{folder}/{name}.ipc" for name in ("requests", "notices", "workers"))
    return Addresses(requests, notices, workers, f"{folder}/http.sock", f"{folder}/rehearsals")
