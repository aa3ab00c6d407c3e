"""A claim is one process's at a time, and nobody waits for one that is dead."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from jobengine.clock import SystemClock, to_us
from jobengine.ports.contents import Document, PutDocument
from jobengine.testing.contents.store import MemoryContents
from jobengine.worker.convert.derived.claims import Claims
from jobengine.worker.convert.derived.holder import is_gone, this_process
from tests.waiting import PATIENCE_S, wait_until

CLOCK = SystemClock()
NAME = """
from jobengine.worker.convert.derived.holder import this_process
print(this_process(), flush=True)
input()
"""


@pytest.fixture
def other() -> Iterator[subprocess.Popen[str]]:
    """Another process that lives until its input ends, and says its name."""
    with subprocess.Popen(
        [sys.executable, "-c", NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def name_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


class Watched(MemoryContents):
    """Counts the looks at documents."""

    def __init__(self) -> None:
        super().__init__(CLOCK)
        self.looks = 0

    def document(self, collection: str, key: str) -> Document | None:
        self.looks += 1
        return super().document(collection, key)


def claimed_by(name: str) -> Watched:
    """A store in which somebody holds the claim for a long time."""
    store = Watched()
    until_us = to_us(CLOCK.now()) + 3_600_000_000
    store.commit([PutDocument("claims", "run", {"untilUs": until_us, "holder": name}, 0)])
    return store


def test_a_process_is_told_from_one_that_ended_and_from_a_later_one_of_its_id(
    other: subprocess.Popen[str],
) -> None:
    name = name_of(other)
    here, pid, started = name.rsplit("/", 2)
    assert not is_gone(name)
    assert not is_gone(this_process())
    assert is_gone(f"{here}/{pid}/{int(started) - 1}")
    other.kill()
    wait_until(lambda: is_gone(name), "it is gone while nobody has waited for it")
    other.wait()
    assert is_gone(name)


@pytest.mark.parametrize("name", ["", "elsewhere/pid:[1]/1/1", "a/b"])
def test_who_can_not_be_judged_counts_as_alive(name: str) -> None:
    assert not is_gone(name)


def test_the_claim_of_a_killed_process_is_taken_at_once(other: subprocess.Popen[str]) -> None:
    store = claimed_by(name_of(other))
    other.kill()
    other.wait()
    with Claims(store, CLOCK).held("run"):
        found = store.document("claims", "run")
        assert found is not None
        assert found.value["holder"] == this_process()
    assert store.document("claims", "run") is None


def test_the_claim_of_a_living_process_is_waited_for(other: subprocess.Popen[str]) -> None:
    store = claimed_by(name_of(other))
    is_held = threading.Event()

    def hold() -> None:
        with Claims(store, CLOCK).held("run"):
            is_held.set()

    thread = threading.Thread(target=hold)
    thread.start()
    wait_until(lambda: store.looks > 1, "it has looked, and looks again")
    assert not is_held.is_set()
    other.kill()
    assert is_held.wait(PATIENCE_S)
    thread.join()
