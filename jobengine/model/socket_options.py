"""How patient a socket is and how much it holds. The defaults are those of Savant Replay's job sinks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """Options of a socket that sends.

    Timeouts are milliseconds of one try; a message is tried once more than ``*_retries``. High-water
    marks are messages that libzmq holds for each peer, ``inflight_ops`` messages that wait before it.
    """

    send_timeout_ms: int = 1000
    send_retries: int = 3
    receive_timeout_ms: int = 1000
    receive_retries: int = 3
    send_hwm: int = 1000
    receive_hwm: int = 1000
    inflight_ops: int = 100


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Options of a socket that receives.

    ``routing_ids`` topics are remembered with their writers, ``blocked_topics`` topics are shut out at
    once, each for ``block_s`` seconds. ``ipc_mode``: permissions of a bound Unix socket.
    """

    receive_hwm: int = 1000
    routing_ids: int = 512
    blocked_topics: int = 1024
    block_s: float = 10.0
    ipc_mode: int = 0o777
