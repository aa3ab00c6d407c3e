"""Opening a store: after a crash in milliseconds, whatever its size, or with a new index where it must be."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import lmdb
import structlog

from jobengine.clock import Clock
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.rebuilding import rebuild
from jobengine.contents.embedded.segments import Segments
from jobengine.contents.embedded.sharing import Users
from jobengine.contents.embedded.tails import StaleIndexError, check_tails
from jobengine.contents.embedded.write_turn import WriteTurn
from jobengine.errors import UnavailableError
from jobengine.ports.contents import Opening

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """The parts of an open store."""

    users: Users
    index: Index
    segments: Segments
    turn: WriteTurn
    salt: int
    opening: Opening

    def close(self) -> None:
        """Let everything go; the last user brings the index to disk first."""
        try:
            if self.users.is_last():
                self.index.sync()
                self.users.mark(ended_cleanly=True)
        finally:
            self.index.close()
            self.segments.close()
            self.turn.close()
            self.users.leave()


def open_store(folder: Path, options: EmbeddedOptions, clock: Clock) -> Opened:
    """Open or make the store in a folder.

    Raises UnavailableError if it is open in this process already, in use by others while its index has to
    be built anew, or of another format.
    """
    (folder / "segments").mkdir(parents=True, exist_ok=True)
    users = Users(folder)
    segments = Segments(folder / "segments", options)
    turn = WriteTurn(folder, clock, options.timeout_s)
    try:
        with users.opening(clock, options.timeout_s):
            users.join(clock, options.timeout_s)
            salt = users.identity().salt
            with turn.taken():
                found = _open_trusted(folder, users, segments, salt, options)
            if found is None:
                users.be_alone(clock, options.timeout_s)
                found = _build(folder, segments, salt, options)
                users.join(clock, options.timeout_s)
            index, opening = found
            users.mark(ended_cleanly=False)
    except BaseException:
        segments.close()
        turn.close()
        users.leave()
        raise
    if opening.cut_bytes or opening.reindexed_elements:
        log.warning(
            "contents_mended",
            folder=str(folder),
            cut_bytes=opening.cut_bytes,
            reindexed_elements=opening.reindexed_elements,
        )
    return Opened(users, index, segments, turn, salt, opening)


def _open_trusted(
    folder: Path, users: Users, segments: Segments, salt: int, options: EmbeddedOptions
) -> tuple[Index, Opening] | None:
    """The index as it stands, None if it has to be built anew."""
    if not users.index_is_trusted():
        return None
    try:
        index = Index(folder / "index", options.index_map_bytes, create=False)
    except lmdb.Error as fault:
        if "already open" in str(fault):
            raise UnavailableError(f"the contents store in {folder} is open in this process") from fault
        log.warning("contents_index_lost", folder=str(folder), fault=str(fault))
        return None
    try:
        return index, Opening(check_tails(index, segments, salt), reindexed_elements=0)
    except (StaleIndexError, lmdb.Error) as fault:
        log.warning("contents_index_stale", folder=str(folder), fault=str(fault))
        index.close()
        return None


def _build(folder: Path, segments: Segments, salt: int, options: EmbeddedOptions) -> tuple[Index, Opening]:
    shutil.rmtree(folder / "index", ignore_errors=True)
    (folder / "index").mkdir()
    index = Index(folder / "index", options.index_map_bytes)
    try:
        rebuilt = rebuild(index, segments, salt)
    except BaseException:
        index.close()
        shutil.rmtree(folder / "index", ignore_errors=True)
        raise
    return index, Opening(rebuilt.cut_bytes, rebuilt.elements)
