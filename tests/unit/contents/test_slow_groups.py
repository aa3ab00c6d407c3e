"""Who was answered by a slow group is waited for, so that nobody waits for two more."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from jobengine.contents.embedded import EmbeddedContents
from jobengine.testing.clock import ManualClock
from tests.begun import begun
from tests.unit.contents.files import SMALL, STREAM, check_all, put
from tests.waiting import PATIENCE_S

CALLERS, COMMITS = 4, 20


def test_callers_stay_together_when_each_sync_outlasts_the_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, synced, together = ManualClock(), [], Barrier(CALLERS, timeout=PATIENCE_S)
    sync = os.fdatasync

    def slow_sync(file: int) -> None:
        sync(file)
        clock.advance(timedelta(seconds=5))
        synced.append(file)

    def commit_some(caller: int) -> None:
        together.wait()
        for n in range(COMMITS):
            store.commit([put(caller * COMMITS + n)])

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    options = replace(SMALL, interval_ms=1000.0)
    with closing(begun(EmbeddedContents(tmp_path, clock, options), [STREAM])) as store:
        synced.clear()
        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(commit_some, range(CALLERS)))
        groups = len(synced)
        assert check_all(store) == list(range(CALLERS * COMMITS))

    assert groups <= COMMITS * 3 // 2
