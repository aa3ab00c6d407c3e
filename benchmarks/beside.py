"""A process of its own beside the one that measures, so that it takes none of its interpreter's time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any


@contextmanager
def beside(serve: Callable[..., None], *args: Any) -> Iterator[Connection]:
    """Run ``serve(connection, *args)`` until the end of the block, which begins with its first word."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, *args), daemon=True)
    process.start()
    ours.recv()
    try:
        yield ours
    finally:
        process.kill()
        process.join()
