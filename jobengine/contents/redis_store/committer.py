"""Commits: made from what Redis has, done by one script if nothing of it has changed, otherwise made anew."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, TypeVar

from jobengine.contents.redis_store.chunks import ChunkNumbers
from jobengine.contents.redis_store.commit_draft import CommitDraft
from jobengine.contents.redis_store.head import STAMP_BYTES
from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.request import Request
from jobengine.contents.redis_store.scripts import COMMIT, DONE, RELEASE
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.stream_draft import TornError
from jobengine.errors import UnavailableError
from jobengine.ids import new_id
from jobengine.ports.contents import DeleteDocument, PutDocument, Write

Result = TypeVar("Result")
LANES: Final = 64
TRIES: Final = 200
"""How often a commit is made anew because others were quicker."""
_PAUSE_S: Final = 0.01


class Committer:
    """Does commits, one at a time for each stream; those to other streams go beside it. Thread-safe."""

    def __init__(self, server: RedisServer, keys: Keys, timeout_s: float) -> None:
        self._server = server
        self._keys = keys
        self._timeout_s = timeout_s
        self._numbers = ChunkNumbers(server, keys)
        self._writer = new_id()
        self._lanes = [threading.Lock() for _ in range(LANES)]
        self._closing = threading.Event()

    def run(
        self, writes: Sequence[Write], streams: Iterable[int], plan: Callable[[CommitDraft], Result]
    ) -> tuple[Result, int]:
        """What ``plan`` answers for the draft that was done, and the bytes that Redis got back by it.

        ``writes`` and ``streams`` are what the plan is about. Blocks for other threads that write to the
        same streams. Raises what the plan raises, and UnavailableError.
        """
        with self._lanes_of(writes, streams) as lane:
            marker = self._keys.marker(f"{self._writer}:{lane}")
            for number in range(TRIES):
                draft = CommitDraft(self._server, self._keys, self._numbers, os.urandom(STAMP_BYTES), writes)
                try:
                    result = plan(draft)
                    request = draft.finish()
                except TornError:
                    continue
                if not request.changes_anything and not writes:
                    return result, 0
                if self._send(request, marker):
                    return result, draft.freed_bytes
                self._closing.wait(random.uniform(0, _PAUSE_S) * min(number, 5))  # noqa: S311
        raise UnavailableError(f"others changed the same streams or documents {TRIES} times; try again")

    def close(self) -> None:
        """Wake those who wait."""
        self._closing.set()

    def _send(self, request: Request, marker: bytes) -> bool:
        script = RELEASE if request.is_release else COMMIT
        keys = (marker, self._keys.version)
        return bool(self._server.run(script, keys, request.arguments(), request.ahead()) == DONE)

    @contextmanager
    def _lanes_of(self, writes: Sequence[Write], streams: Iterable[int]) -> Iterator[int]:
        """Hold the lanes of all that is written, in their order; the first one's number."""
        lanes = {stream % LANES for stream in streams} | {_lane(write) for write in writes}
        with ExitStack() as held:
            for lane in sorted(lanes):
                if not self._lanes[lane].acquire(timeout=self._timeout_s):
                    raise UnavailableError(
                        f"other commits to the same streams took longer than {self._timeout_s} s"
                    )
                held.callback(self._lanes[lane].release)
            yield min(lanes, default=0)


def _lane(write: Write) -> int:
    if isinstance(write, PutDocument | DeleteDocument):
        return hash((write.collection, write.key)) % LANES
    return write.stream % LANES
