"""Streams of contents that lost workers were recording: ended, as whoever follows one would wait for ever."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import structlog

from jobengine.clock import Clock
from jobengine.errors import JobEngineError, UnavailableError
from jobengine.ports.contents import ContentStore

MAX_WAITING = 10_000


class LeftStreams:
    """Waits in order for somebody who has the store. One thread adds, one ends."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[tuple[str, str]] = deque()
        self._log = structlog.get_logger("contents")

    def add(self, job_id: str, urls: Sequence[str]) -> None:
        """A job is over that has left these streams open. Returns at once; too many are told in the log."""
        for url in urls:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append((job_id, url))
            else:
                self._log.error("stream.left_open", job_id=job_id, url=url, detail="too many wait")

    def end_all(self, store: ContentStore) -> None:
        """End all of them; blocks for the store. Raises UnavailableError, and what is left waits on."""
        if not self._waiting:
            return
        from jobengine.worker.recorded_stream import end_left  # brings FFmpeg into the process

        while self._waiting:
            job_id, url = self._waiting[0]
            try:
                end_left(store, self._clock, job_id, url)
                self._log.info("stream.ended", job_id=job_id, url=url)
            except UnavailableError:
                raise
            except JobEngineError as error:
                self._log.error("stream.left_open", job_id=job_id, url=url, detail=error.detail)
            self._waiting.popleft()
