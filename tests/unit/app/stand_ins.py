"""What runs in place of an engine in a spawned process; it imports next to nothing."""

from __future__ import annotations

import signal
import sys
from multiprocessing.synchronize import Event


def until_sigterm() -> None:
    """A good engine."""
    signal.pause()


def deaf(is_deaf: Event) -> None:
    """Does not end when told to; sets ``is_deaf`` once that is so."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    is_deaf.set()
    while True:
        signal.pause()


def end_at_once() -> None:
    """Can't begin."""
    sys.exit(3)
