"""Ports of the loopback for what tests start."""

from __future__ import annotations

import atexit
import socket
from contextlib import ExitStack

_held = ExitStack()
atexit.register(_held.close)


def free_port() -> int:
    """A port that nobody else is given while this process lives; connections to it are refused.

    It is bound here but not listened on: a server that sets SO_REUSEADDR, as nearly all do, may have it, end
    and have it again, and no connection or other test of this machine gets it in between.
    """
    holder = _held.enter_context(socket.socket())
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    port: int = holder.getsockname()[1]
    return port
