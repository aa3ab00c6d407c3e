"""Who makes something at the moment: one job at a time, whoever asks for whatever part of it.

A claim is a document with the process that holds it, and an end. It is void as soon as the process is gone;
where that can't be told (another machine), at the end. Who takes longer than that may find that another has
made the same, which does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from jobengine.clock import Clock, to_us
from jobengine.errors import RevisionMismatch
from jobengine.ports.contents import ContentStore, DeleteDocument, PutDocument
from jobengine.worker.convert.derived.holder import is_gone, this_process

_CLAIMS = "claims"
_LASTS_US = 10_000_000
_LOOK_S = 0.02


class Claims:
    """The claims of one store."""

    def __init__(self, store: ContentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._holder = this_process()

    @contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Hold a claim; waits while another process that is alive holds it, 10 s at most."""
        revision = self._take(key)
        try:
            yield
        finally:
            self._let_go(key, revision)

    def _take(self, key: str) -> int:
        while True:
            found = self._store.document(_CLAIMS, key)
            now_us = to_us(self._clock.now())
            if found is None or found.value["untilUs"] <= now_us or is_gone(found.value["holder"]):
                claim = {"untilUs": now_us + _LASTS_US, "holder": self._holder}
                put = PutDocument(_CLAIMS, key, claim, found.revision if found else 0)
                try:
                    return self._store.commit([put])[0].revision or 0
                except RevisionMismatch:
                    continue
            Event().wait(_LOOK_S)

    def _let_go(self, key: str, revision: int) -> None:
        try:
            self._store.commit([DeleteDocument(_CLAIMS, key, revision)])
        except RevisionMismatch:
            return  # it had ended, and another has taken it
