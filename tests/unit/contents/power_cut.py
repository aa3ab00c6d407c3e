"""A disk that loses its power: what was not brought to disk by a sync may be there, or not, or in part.

`Disk` watches `os.fsync` and `os.fdatasync` of the files below one folder, and can make at any time a folder
as it might be found when the power is back. Nothing is assumed of the file system but POSIX: contents of a
file are sure after a sync of the file, names after a sync of their folder; of the rest each sector of 512
bytes and each name may be new or old.
"""

from __future__ import annotations

import os
import random
import stat
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

SECTOR_BYTES = 512


class Disk:
    """The files below ``root`` as they surely are on disk.

    Files stay open until `close`, so that none is taken for another that came later.
    """

    def __init__(self, root: Path, calls: pytest.MonkeyPatch) -> None:
        self._root = root
        self._files: dict[int, int] = {}
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, Mapping[str, int]] = {}
        self._lock = threading.RLock()
        self._planned: Callable[[], None] | None = None
        for name in ("fsync", "fdatasync"):
            calls.setattr(os, name, self._watched(getattr(os, name)))

    def close(self) -> None:
        """Let the files go."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def sync_all(self, folder: Path) -> None:
        """Take everything in a folder for synced by somebody who is not watched, such as LMDB."""
        for path in (*folder.iterdir(), folder):
            self._note(path)

    def cut(self, target: Path, seed: int) -> None:
        """Make ``target`` as it may be found after a power cut at this moment."""
        with self._lock:
            self._restore(self._known(self._root), target, random.Random(seed))

    def cut_before_sync(self, target: Path, seed: int) -> None:
        """Do that when somebody is about to sync, whichever thread is first."""
        self._planned = partial(self.cut, target, seed)

    def cut_came(self) -> bool:
        """Whether it came to the planned cut, which is not taken any more otherwise."""
        with self._lock:
            planned, self._planned = self._planned, None
            return planned is None

    def _watched(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def call(file: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{file}"))
            if not path.is_relative_to(self._root):
                return sync(file)
            with self._lock:
                if self._planned is not None:
                    self._planned()
                    self._planned = None
                sync(file)
                self._note(path)
            return None

        return call

    def _note(self, path: Path) -> None:
        number = self._known(path)
        if path.is_dir():
            self._names[number] = self._listing(number)
        else:
            self._contents[number] = self._current(number)

    def _known(self, path: Path | str, folder: int | None = None) -> int:
        """The inode of a file, which is held open from now on."""
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        number = os.fstat(file).st_ino
        if number in self._files:
            os.close(file)
        else:
            self._files[number] = file
        return number

    def _listing(self, number: int) -> dict[str, int]:
        file, found = self._files[number], {}
        for name in os.listdir(file):
            with suppress(FileNotFoundError):  # removed just now
                found[name] = self._known(name, file)
        return found

    def _current(self, number: int) -> bytes:
        file = self._files[number]
        return os.pread(file, os.fstat(file).st_size, 0)

    def _restore(self, number: int, target: Path, rng: random.Random) -> None:
        if not stat.S_ISDIR(os.fstat(self._files[number]).st_mode):
            target.write_bytes(_mixed(self._contents.get(number, b""), self._current(number), rng))
            return
        target.mkdir()
        sure, now = self._names.get(number, {}), self._listing(number)
        for name in sorted({*sure, *now}):
            found = rng.choice((sure.get(name), now.get(name)))
            if found is not None:
                self._restore(found, target / name, rng)


def _mixed(sure: bytes, now: bytes, rng: random.Random) -> bytes:
    """Sectors that are sure and those that may have arrived; none, some or all of the latter did."""
    if sure == now:
        return now
    share = rng.choice((0.0, 0.5, 1.0))
    size = max(len(sure), len(now)) if share else len(sure)
    old, new = (text.ljust(size, b"\0")[:size] for text in (sure, now))
    starts = range(0, size, SECTOR_BYTES)
    return b"".join((new if rng.random() < share else old)[at : at + SECTOR_BYTES] for at in starts)
