"""FileWriter: the file at the end of an output graph. Never overwrites; the encoder before it rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from jobengine.errors import Fault
from jobengine.model.filters.filter import Filter, Place
from jobengine.model.roots import MediaRoots, PathRefused


class FileWriter(Filter):
    """``filePath`` may hold ``${StartTime|…}`` and ``%TIMESTAMP%``: the time the job first was Running."""

    place: ClassVar[Place] = Place.SINK

    name: Literal["FileWriter"]
    file_path: str | None = None

    def check(self, roots: MediaRoots) -> Iterator[Fault]:
        try:
            roots.resolve_target(self.file_path or "")
        except PathRefused as refusal:
            yield Fault("/filePath", str(refusal))
