"""Paths on disk: links are followed here, and what leads out of the roots is refused.

`MediaRoots` has looked at the text already; the disk may have changed since, so each file is looked at
again when it is opened.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from jobengine.errors import MediaError
from jobengine.media.failure import sink_failure
from jobengine.model.roots import MediaRoots, PathRefused

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def find_source(roots: MediaRoots, text: str) -> str:
    """The real path or the URL to read. Raises MediaError."""
    try:
        place = roots.resolve_source(text)
    except PathRefused as refusal:
        raise MediaError(f"{text!r} {refusal}") from refusal
    if isinstance(place, str):
        return place
    return str(_inside(roots, place, text))


def find_target(roots: MediaRoots, text: str) -> Path:
    """The path to write at, in a folder that can be made and written. Creates nothing. Raises MediaError."""
    try:
        place = roots.resolve_target(text)
    except PathRefused as refusal:
        raise MediaError(f"{text!r} {refusal}") from refusal
    folder = _inside(roots, place.parent, text)
    standing = folder
    while not standing.exists():
        standing = standing.parent
    if not standing.is_dir():
        raise MediaError(f"{text} can't be made: {standing} is not a folder")
    if not os.access(standing, os.W_OK | os.X_OK):
        raise MediaError(f"{text} can't be made: {standing} may not be written by this service")
    return folder / place.name


def create_file(roots: MediaRoots, text: str) -> tuple[int, Path]:
    """A new file's descriptor (read and write) and its real path. Never overwrites: ``_1``, ``_2``… is added.

    Folders on the way are made. Raises MediaError.
    """
    wanted = find_target(roots, text)
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        _inside(roots, PurePosixPath(wanted.parent), text)
        path, number = wanted, 0
        while True:
            try:
                return os.open(path, _NEW_FILE, 0o644), path
            except FileExistsError:
                number += 1
                path = wanted.with_name(f"{wanted.stem}_{number}{wanted.suffix}")
    except OSError as error:
        raise sink_failure(str(wanted), error, 0) from error


def _inside(roots: MediaRoots, place: PurePosixPath, text: str) -> Path:
    if "\\" in text:
        raise MediaError(f"{text} is a Windows path; it can't be reached from this machine")
    real = Path(os.path.realpath(place))
    if not any(real.is_relative_to(os.path.realpath(root)) for root in roots.allowed):
        raise MediaError(f"{text} leads out of the allowed folders through a link")
    return real
