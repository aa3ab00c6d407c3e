"""Whole payload answers that were given lately, kept as long as nothing was committed to the store.

What many ask for at once (the newest frame of a live stream) is then found, checked and hashed once for all.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from jobengine.rest.beams.payload_answer import PayloadAnswer

MAX_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    answer: PayloadAnswer


class HotPayloads:
    """Answers by the path that was asked for, at most ``limit_bytes`` of payload. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def get(self, path: str, version: int) -> PayloadAnswer | None:
        """The answer, if nothing was committed since; ``version`` is the store's now."""
        kept = self._kept.get(path)
        return kept.answer if kept is not None and kept.version == version else None

    def keep(self, path: str, version: int, answer: PayloadAnswer) -> PayloadAnswer:
        """The answer in one piece, kept; ``version`` is the store's from before it was looked for."""
        body = b"".join(answer.body)
        whole = PayloadAnswer(answer.status, answer.headers, (body,))
        if len(body) > self._limit_bytes:
            return whole
        with self._lock:
            before = self._kept.get(path)
            if before is not None:
                self._bytes -= len(before.answer.body[0])
            if self._bytes + len(body) > self._limit_bytes or len(self._kept) >= MAX_ENTRIES:
                self._kept.clear()
                self._bytes = 0
            self._bytes += len(body)
            self._kept[path] = _Kept(version, whole)
        return whole
