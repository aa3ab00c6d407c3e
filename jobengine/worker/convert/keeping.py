"""Where a recipe's result goes: the target of the job, or the folder of results that somebody waits for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from jobengine.clock import Clock, to_us
from jobengine.errors import DiskFull, MediaError
from jobengine.media.failure import sink_failure
from jobengine.media.places import create_file
from jobengine.model.convert import ConvertTarget
from jobengine.model.recipe import Result
from jobengine.ports.work import WorkContext

Json = Any
ABANDONED_S = 86_400.0
"""A file that was not written for so long has lost its worker."""


class Keeper:
    """Keeps the result of one job. Files that a recipe began and nobody kept go with `close`."""

    def __init__(self, context: WorkContext, target: ConvertTarget | None, clock: Clock) -> None:
        self._context = context
        self._target = target
        self._clock = clock
        self._begun: list[Path] = []
        self.kept: Path | None = None
        """The target, once it is written."""

    def new_file(self, suffix: str) -> Path:
        """A path for a recipe to write at."""
        if os.sep in suffix or suffix.startswith(".."):
            raise MediaError(f"{suffix!r} is not the suffix of a file name")
        path = self._folder() / f"{self._context.job_id}.{len(self._begun)}.part{suffix}"
        self._begun.append(path)
        return path

    def keep(self, result: Result) -> dict[str, Json]:
        """Write the result where it belongs; what is told of it. Raises MediaError or DiskFull."""
        if result.is_declined:
            return {"declined": True}
        if result.body is None and result.file is None:
            return {}
        try:
            path = self._place(result)
            size = path.stat().st_size
        except OSError as error:
            raise self._failure(error) from error
        told: dict[str, Json] = {"mediaType": result.media_type, "bytes": size, "path": str(path)}
        if result.status != 200:
            told["status"] = result.status
        if result.headers:
            told["headers"] = dict(result.headers)
        return told

    def close(self) -> None:
        """Remove what was begun and not kept. Idempotent."""
        for path in self._begun:
            path.unlink(missing_ok=True)

    def _place(self, result: Result) -> Path:
        made = result.file
        if made is None:
            made = self.new_file("")
            made.write_bytes(result.body or b"")
        if made not in self._begun:
            raise MediaError(f"{made} is not a file that the recipe was given to write")
        if self._target is None:
            self._sweep()
            path = self._folder() / f"{self._context.job_id}.result"
            made.replace(path)
            return path
        descriptor, self.kept = create_file(self._context.roots, self._target.file_path)
        os.close(descriptor)
        shutil.move(made, self.kept)
        return self.kept

    def _sweep(self) -> None:
        """Remove what nobody has fetched in time, and what killed workers had begun."""
        now_us = to_us(self._clock.now())
        for pattern, lifetime_s in (
            ("*.result", self._context.result_lifetime_s),
            ("*.part*", ABANDONED_S),
        ):
            for path in self._folder().glob(pattern):
                if path not in self._begun and _age_s(path, now_us) > lifetime_s:
                    path.unlink(missing_ok=True)

    def _folder(self) -> Path:
        folder = Path(self._context.results)
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return folder

    def _failure(self, error: OSError) -> MediaError:
        failure = sink_failure(error.filename or "the result", error, 0)
        if isinstance(failure, DiskFull):
            return DiskFull(f"no space is left for {error.filename or 'the result'}")
        return failure


def _age_s(path: Path, now_us: int) -> float:
    """Seconds since a file was written; 0 for one that is gone meanwhile."""
    try:
        return (now_us - path.stat().st_mtime_ns // 1000) / 1e6
    except FileNotFoundError:
        return 0.0
