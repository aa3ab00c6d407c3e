"""Databases with many pending jobs, made once and kept in ``.cache``: a copy takes seconds, not a minute."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.harness import RESULTS, postgres, scratch
from benchmarks.pending import fill
from jobengine.history.database import Database
from jobengine.history.migrations import HEAD

FAR = datetime(2100, 1, 1, tzinfo=UTC)
"""From when on what is pending falls due: for no run of a benchmark."""
SPAN = timedelta(days=365)
NAME = "ours"


@contextmanager
def sqlite(count: int) -> Iterator[str]:
    """The URL of a fresh file with ``count`` pending jobs."""
    kept = _kept("sqlite", count)
    if not kept.exists():
        with scratch() as folder:
            made = folder / NAME
            _build(f"sqlite:///{made}", count)
            shutil.move(made, kept)
    with scratch() as folder:
        yield f"sqlite:///{_copy(kept, folder / NAME)}"


@contextmanager
def postgresql(count: int) -> Iterator[str]:
    """The same on a fresh server with its defaults."""
    kept = _kept("postgresql", count)
    if not kept.exists():
        with scratch() as folder:
            with postgres() as server:
                server.execute(f"CREATE DATABASE {NAME}")
                _build(server.url(NAME), count)
                server.stop()
                _copy(server.data, folder / NAME)
                server.start()
            shutil.move(folder / NAME, kept)
    with postgres(kept) as server:
        yield server.url(NAME)


def _kept(kind: str, count: int) -> Path:
    """Where it is kept; of another schema none is."""
    folder = RESULTS.parent / "pending"
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(f"{kind}-{count}-*"):
        if not stale.name.endswith(HEAD):
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
    return folder / f"{kind}-{count}-{HEAD}"


def _build(url: str, count: int) -> None:
    with Database(url) as database:
        database.upgrade()
        fill(database, count, FAR, SPAN)
        with database.writing() as connection:
            connection.exec_driver_sql("ANALYZE")
        database.checkpoint()


def _copy(source: Path, target: Path) -> Path:
    """Copied with its owners, and on disk, so that nothing of it is left to be written in a measurement."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
    subprocess.run(["sync", "-f", str(target)], check=True)
    return target
