"""Who uses a store, and whether its index can be trusted after a crash of the machine.

The index is never synced while it is in use. Within one run of the machine it is right nevertheless, because
what a killed process wrote is in the page cache. A mark beside it names the run (boot id), and says whether
the last user ended cleanly; everything else means that the index is built anew.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from jobengine.clock import Clock
from jobengine.contents.embedded.segments import sync_folder
from jobengine.errors import UnavailableError

FORMAT: Final = 1
INDEX_FORMAT: Final = 6
"""Of the index alone: one of another format is built anew from the log."""
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_LOOK_AGAIN_S: Final = 0.02


class Identity(msgspec.Struct, frozen=True):
    """What a store's files have in common: their format, and a number that no other store has."""

    format: int
    salt: int


class Mark(msgspec.Struct, frozen=True):
    """When the index was last used, and the format of its rows."""

    boot_id: str
    ended_cleanly: bool
    index_format: int = 1


class Users:
    """This process as one user of a store; while it is open nobody else may build the index anew."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = _lock_file(folder / "lock")

    @contextmanager
    def opening(self, clock: Clock, timeout_s: float) -> Iterator[None]:
        """Nobody else opens the store meanwhile.

        Who waits to be alone would otherwise wait for ever for one who built the index before and stays.
        Raises UnavailableError after the timeout.
        """
        opener = _lock_file(self._folder / "opener")
        try:
            self._lock(opener, fcntl.LOCK_EX, clock, timeout_s)
            yield
        finally:
            os.close(opener)

    def join(self, clock: Clock, timeout_s: float) -> None:
        """Become one of the users. Raises UnavailableError if somebody builds the index for too long."""
        self._lock(self._file, fcntl.LOCK_SH, clock, timeout_s)

    def be_alone(self, clock: Clock, timeout_s: float) -> None:
        """Become the only user. Raises UnavailableError if others stay."""
        self._lock(self._file, fcntl.LOCK_EX, clock, timeout_s)

    def is_last(self) -> bool:
        """Become the only user if there is no other."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        """Be no user any more."""
        os.close(self._file)

    def identity(self) -> Identity:
        """The store's identity, made by whoever comes first. Raises UnavailableError for another format."""
        path = self._folder / "store.json"
        if not path.exists():
            draft = self._folder / f"store.json.{os.getpid()}"
            _write(draft, msgspec.json.encode(Identity(FORMAT, secrets.randbits(63))))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass  # somebody else was faster; theirs counts
            finally:
                draft.unlink()
            sync_folder(self._folder)
            sync_folder(self._folder.parent)
        try:
            identity = msgspec.json.decode(path.read_bytes(), type=Identity)
        except msgspec.DecodeError as fault:
            raise UnavailableError(f"{path} is damaged: {fault}") from fault
        if identity.format != FORMAT:
            raise UnavailableError(f"{path} says format {identity.format}; this version reads {FORMAT}")
        return identity

    def index_is_trusted(self) -> bool:
        """Whether the index was used in this run of the machine only, or synced by its last user."""
        try:
            mark = msgspec.json.decode((self._folder / "mark.json").read_bytes(), type=Mark)
        except (FileNotFoundError, msgspec.DecodeError):
            return False
        is_of_this_run = mark.ended_cleanly or mark.boot_id == _boot_id()
        return is_of_this_run and mark.index_format == INDEX_FORMAT

    def mark(self, ended_cleanly: bool) -> None:
        """Say on disk how the index stands from now on."""
        draft = self._folder / f"mark.json.{os.getpid()}"
        _write(draft, msgspec.json.encode(Mark(_boot_id(), ended_cleanly, INDEX_FORMAT)))
        draft.rename(self._folder / "mark.json")
        sync_folder(self._folder)

    def _lock(self, file: int, kind: int, clock: Clock, timeout_s: float) -> None:
        deadline_ns = clock.monotonic_ns() + int(timeout_s * 1e9)
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if clock.monotonic_ns() > deadline_ns:
                    raise UnavailableError(
                        f"the contents store in {self._folder} is in use by another process"
                    ) from None
                threading.Event().wait(_LOOK_AGAIN_S)
            else:
                return


def _lock_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
