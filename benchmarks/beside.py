"""A process of its own beside the one that measures, so that it takes none of its interpreter's time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any


@dataclass(frozen=True, slots=True)
class Beside:
    """Such a process: the way to it, its first word, and its id."""

    connection: Connection
    word: Any
    process_id: int


@contextmanager
def beside(serve: Callable[..., None], *args: Any) -> Iterator[Beside]:
    """Run ``serve(connection, *args)`` until the end of the block, which begins with its first word."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, *args), daemon=True)
    process.start()
    try:
        yield Beside(ours, ours.recv(), process.pid or 0)
    finally:
        process.kill()
        process.join()
