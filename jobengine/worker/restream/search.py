"""Waits for a place to begin: for the content, its stream and the anchor to be there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from jobengine.clock import Clock
from jobengine.model.anchor import AnchorPlace
from jobengine.model.restream import RestreamSpec, StreamSource
from jobengine.worker.restream.failures import AnchorNotFound
from jobengine.worker.restream.look_up import LookUp, Moments, Start, find_start
from jobengine.worker.restream.shared_store import SharedStore
from jobengine.worker.restream.source import Source, find_source

POLL_NS = 2_000_000
RING_NS = 100_000_000
"""How long to wait where a bell tells of commits."""


class Search:
    """One search, from the moment it is made on. ``wake_ns``: when `step` is worth another call."""

    def __init__(self, shared: SharedStore, clock: Clock, spec: RestreamSpec, started: datetime) -> None:
        self._shared = shared
        self._clock = clock
        self._spec = spec
        self._started = started
        self._until_ns = clock.monotonic_ns() + int(spec.anchor_wait_ms * 1e6)
        self._version = -1
        self._look_up: LookUp[Start | None] | None = None
        self._source: Source | None = None
        self.wake_ns = 0

    def step(self, now_ns: int) -> tuple[Source, Start] | None:
        """Look a little further. Raises AnchorNotFound when the time is up; there is one look at least."""
        self.wake_ns = now_ns
        if self._look_up is None and not self._begin():
            self._wait(now_ns)
            return None
        start = self._go_on()
        if self._look_up is not None:
            return None
        if start is None or self._source is None:
            self._wait(now_ns)
            return None
        return self._source, start

    def _begin(self) -> bool:
        version = self._shared.version()
        if version == self._version:
            return False
        self._version = version
        self._source = find_source(self._shared, self._spec.source or StreamSource())
        if self._source is None or self._spec.anchor is None:
            return False
        stream = replace(
            self._source.stream, kind=self._spec.source.element_kind if self._spec.source else None
        )
        moments = Moments(self._started, self._clock.now())
        self._look_up = find_start(stream, self._spec.anchor, self._spec.offset, moments)
        return True

    def _go_on(self) -> Start | None:
        if self._look_up is None:
            return None
        try:
            next(self._look_up)
        except StopIteration as end:
            self._look_up = None
            found: Start | None = end.value
            return found
        return None

    def _wait(self, now_ns: int) -> None:
        if now_ns >= self._until_ns:
            raise AnchorNotFound(self._reason())
        self.wake_ns = min(now_ns + (RING_NS if self._shared.bell else POLL_NS), self._until_ns)

    def _reason(self) -> str:
        source = self._spec.source or StreamSource()
        waited = f" within {self._spec.anchor_wait_ms:g} ms" if self._spec.anchor_wait_ms else ""
        if self._source is None:
            return f"there was no stream {source.stream} of a content {source.content!r}{waited}"
        anchor = self._spec.anchor
        said = anchor.document() if isinstance(anchor, AnchorPlace) else {"": anchor}
        what = " ".join(f"{form} {place}" for form, place in said.items() if place is not None).strip()
        return f"the anchor {what} was not in stream {source.stream} of content {source.content!r}{waited}"
