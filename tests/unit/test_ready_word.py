"""Who has started processes knows how long each had been ready when it ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.connection import Connection

import pytest

from jobengine.ready_word import ReadyWords, say_ready
from jobengine.testing import ManualClock


@pytest.fixture
def words() -> Iterator[ReadyWords]:
    heard = ReadyWords()
    yield heard
    heard.close()


def test_one_that_said_so_has_served_since_then_and_one_that_did_not_never_has(words: ReadyWords) -> None:
    clock = ManualClock()
    say_ready(Connection(os.dup(words.mouth.fileno())), clock)
    clock.advance(timedelta(seconds=12))
    assert words.served_s(os.getpid() + 1, clock.monotonic_ns()) is None
    assert words.served_s(os.getpid(), clock.monotonic_ns()) == 12.0


def test_a_word_is_of_one_process_only_though_its_number_comes_back(words: ReadyWords) -> None:
    clock = ManualClock()
    say_ready(Connection(os.dup(words.mouth.fileno())), clock)
    assert words.served_s(os.getpid(), clock.monotonic_ns()) == 0.0
    assert words.served_s(os.getpid(), clock.monotonic_ns()) is None
