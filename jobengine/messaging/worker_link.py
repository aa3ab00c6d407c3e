"""The worker's end of the control channel: a DEALER socket, reports kept until they are committed.

Reports are numbered, spooled to disk, sent in order, and dropped only when acknowledged. Any ``Sync``
means that the engine may have lost what was not committed: everything unacknowledged goes out again.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import structlog
import zmq

from jobengine.messaging.spool import Spool
from jobengine.messaging.worker_messages import (
    Acknowledge,
    AnyReport,
    Assign,
    FromWorker,
    Sync,
    ToWorker,
    encode,
    to_worker,
)


class WorkerLink:
    """Speaks for one worker. Used by one thread."""

    def __init__(self, context: zmq.Context[Any], address: str, identity: str, spool: Spool) -> None:
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, identity.encode())
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        self._socket.connect(address)
        self._spool = spool
        self._log = structlog.get_logger("link")
        self._unacknowledged: deque[AnyReport] = deque()
        self._unsent: deque[AnyReport] = deque()

    @property
    def is_settled(self) -> bool:
        """Whether every report is known to be committed."""
        return not self._unacknowledged

    def report(self, report: AnyReport) -> None:
        """Keep a report until it is committed, and send it as soon as there is an engine.

        A disk that refuses it costs only the second safety: the report is still kept here and sent.
        """
        try:
            self._spool.append(report)
        except OSError as error:
            self._log.warning("report.not_spooled", sequence=report.sequence, detail=str(error))
        self._unacknowledged.append(report)
        self._unsent.append(report)
        self.flush()

    def say(self, message: FromWorker) -> bool:
        """Send what need not arrive: heartbeats, answers. Dropped, and False, when no engine is connected."""
        try:
            self._socket.send(encode(message), zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def flush(self) -> None:
        """Send what has not been sent, as far as the engine takes it; never blocks."""
        while self._unsent:
            try:
                self._socket.send(encode(self._unsent[0]), zmq.DONTWAIT)
            except zmq.Again:
                return
            self._unsent.popleft()

    def receive(self, timeout_ms: float) -> list[ToWorker]:
        """Commands that have arrived, waiting up to ``timeout_ms`` (rounded up) for the first."""
        commands: list[ToWorker] = []
        if not self._socket.poll(max(0, math.ceil(timeout_ms))):
            return commands
        while True:
            try:
                command = to_worker.decode(self._socket.recv(zmq.DONTWAIT))
            except zmq.Again:
                return commands
            self._take_note(command)
            commands.append(command)

    def close(self) -> None:
        self._socket.close()
        self._spool.close()

    def _take_note(self, command: ToWorker) -> None:
        if isinstance(command, Acknowledge | Sync):
            while self._unacknowledged and self._unacknowledged[0].sequence <= command.acknowledged:
                self._unacknowledged.popleft()
        if isinstance(command, Sync | Assign):
            self._unsent = deque(self._unacknowledged)
            self.flush()
