"""What runs in place of an engine in a spawned process; it imports as little as it can."""

from __future__ import annotations

import signal
import sys
from multiprocessing.connection import Connection

from jobengine.clock import SystemClock
from jobengine.ready_word import say_ready


def until_sigterm(ready: Connection) -> None:
    """A good engine."""
    signal.pause()


def deaf(ready: Connection, teller: Connection) -> None:
    """Does not end when told to; says so once that is the case."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    teller.send_bytes(b"deaf")
    while True:
        signal.pause()


def end_at_once(ready: Connection) -> None:
    """Can't begin."""
    sys.exit(3)


def end_when_ready(ready: Connection) -> None:
    """Begins, and ends soon."""
    say_ready(ready, SystemClock())
    sys.exit(3)
