"""FileWriter: the file at the end of an output graph. Never overwrites; the encoder before it rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from jobengine.errors import Fault
from jobengine.model.filters.filter import Filter, Place
from jobengine.model.roots import MediaRoots, PathRefused


class FileWriter(Filter):
    """``filePath`` may hold ``${StartTime|…}`` and ``%TIMESTAMP%``: the time the job first was Running."""

    place: ClassVar[Place] = Place.SINK

    name: Literal["FileWriter"] = Field(description="Names this filter.")
    file_path: str | None = Field(
        None, description="A path below the media folders; a name that is taken gets _1, _2 and so on."
    )

    def check(self, roots: MediaRoots) -> Iterator[Fault]:
        try:
            roots.resolve_target(self.file_path or "")
        except PathRefused as refusal:
            yield Fault("/filePath", str(refusal))
