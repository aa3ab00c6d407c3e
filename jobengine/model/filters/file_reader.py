"""FileReader: any local file or http(s) URL that FFmpeg reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from jobengine.errors import Fault
from jobengine.model.filters.filter import Filter, Place
from jobengine.model.roots import MediaRoots, PathRefused


class FileReader(Filter):
    """``realTime`` paces the job by the clock; otherwise it runs as fast as it can."""

    place: ClassVar[Place] = Place.SOURCE

    name: Literal["FileReader"] = Field(description="Names this filter.")
    file_path: str | None = Field(None, description="A path below the media folders, or an http(s) URL.")
    real_time: bool | None = Field(
        None, description="Paces the job by the clock; otherwise it runs as fast as it can."
    )

    def check(self, roots: MediaRoots) -> Iterator[Fault]:
        try:
            roots.resolve_source(self.file_path or "")
        except PathRefused as refusal:
            yield Fault("/filePath", str(refusal))
