"""Processes take turns in writing: nobody waits for ever, and nobody is passed over."""

from __future__ import annotations

import fcntl
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jobengine.clock import SystemClock
from jobengine.contents.embedded import EmbeddedContents
from jobengine.contents.embedded.write_turn import WriteTurn
from jobengine.errors import UnavailableError
from tests.begun import begun
from tests.unit.contents.files import SMALL, STREAM, check_all, put
from tests.waiting import PATIENCE_S


@pytest.mark.parametrize("lock", ["writer", "next-writer"])
def test_a_process_that_writes_for_too_long_is_not_waited_for(tmp_path: Path, lock: str) -> None:
    options = replace(SMALL, timeout_s=0.05)
    with closing(begun(EmbeddedContents(tmp_path, SystemClock(), options), [STREAM])) as store:
        other = os.open(tmp_path / lock, os.O_RDWR)
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UnavailableError, match=r"for 0.05 s; nothing was accepted"):
            store.commit([put(1)])
        os.close(other)

        store.commit([put(2)])

        assert check_all(store) == [2]


def test_opening_waits_for_writers_no_longer_either(tmp_path: Path) -> None:
    options = replace(SMALL, timeout_s=0.05)
    EmbeddedContents(tmp_path, SystemClock(), options).close()
    other = os.open(tmp_path / "writer", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)

    with pytest.raises(UnavailableError, match="other processes wrote"):
        EmbeddedContents(tmp_path, SystemClock(), options)

    os.close(other)
    EmbeddedContents(tmp_path, SystemClock(), options).close()


def test_one_that_writes_again_at_once_comes_behind_those_who_wait(tmp_path: Path) -> None:
    greedy, patient = (WriteTurn(tmp_path, SystemClock(), PATIENCE_S) for _ in range(2))
    has_had_its_turns, writing = threading.Event(), []

    def write_on_and_on() -> None:
        while not has_had_its_turns.is_set():
            with greedy.taken():
                writing.append("greedy")
                assert writing.pop() == "greedy"

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(write_on_and_on)
        for _ in range(50):
            with patient.taken():
                writing.append("patient")
                assert writing.pop() == "patient"
        has_had_its_turns.set()
        other.result(timeout=PATIENCE_S)
    greedy.close()
    patient.close()
