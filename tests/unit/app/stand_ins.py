"""What runs in place of an engine in a spawned process; it imports next to nothing."""

from __future__ import annotations

import signal
import sys
from multiprocessing.connection import Connection


def until_sigterm() -> None:
    """A good engine."""
    signal.pause()


def deaf(teller: Connection) -> None:
    """Does not end when told to; says so once that is the case."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    teller.send_bytes(b"deaf")
    while True:
        signal.pause()


def end_at_once() -> None:
    """Can't begin."""
    sys.exit(3)
