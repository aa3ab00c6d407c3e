"""A thread asks for short time slices, and stays as nice as it was."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from jobengine.worker.promptness import SLICE_NS, be_prompt

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
NICE = 7
Found = TypeVar("Found")


def in_a_thread(look: Callable[[], Found]) -> Found:
    """What a thread of its own finds, whose scheduling ends with it."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(look).result()


def slice_ns() -> int:
    """That of this thread; 0 where the kernel tells none."""
    attributes = ctypes.create_string_buffer(56)
    ctypes.CDLL(None).syscall(SCHED_GETATTR[platform.machine()], 0, attributes, len(attributes), 0)
    return int(struct.unpack_from("=Q", attributes, 24)[0])


is_known = pytest.mark.skipif(
    platform.machine() not in SCHED_GETATTR, reason="the numbers of the calls are not known here"
)


@is_known
def test_its_slices_are_short() -> None:
    def slices() -> tuple[int, int]:
        before = slice_ns()
        be_prompt()
        return before, slice_ns()

    before, after = in_a_thread(slices)
    assert after == (SLICE_NS if before else 0), "a kernel without such slices tells none"


def test_it_stays_as_nice_as_it_was() -> None:
    def nice() -> int:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        be_prompt()
        return os.getpriority(os.PRIO_PROCESS, 0)

    assert in_a_thread(nice) == NICE


@is_known
def test_on_another_machine_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_as_before() -> bool:
        before = slice_ns()
        monkeypatch.setattr(platform, "machine", lambda: "mips")
        be_prompt()
        monkeypatch.undo()
        return slice_ns() == before

    assert in_a_thread(is_as_before)
