"""The worker's end of the control channel: reports are kept until they are committed.

Reports are numbered, spooled to disk, sent in order, and dropped only when acknowledged. Any ``Sync``
means that the engine may have lost what was not committed: everything unacknowledged goes out again.
How packed messages travel is a channel's business (`jobengine.messaging.worker_channel`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import structlog

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


class Channel(Protocol):
    """Carries packed messages of one job."""

    @property
    def beat_ns(self) -> int:
        """How far heartbeats should be apart, in nanoseconds."""
        ...

    def send(self, packed: bytes) -> bool:
        """Send, or say False when no engine is connected. Never blocks."""
        ...

    def receive(self, timeout_ms: float, others: Sequence[int] = ()) -> list[bytes]:
        """What has arrived, waiting up to ``timeout_ms`` for the first, or for one of the ``others``
        (descriptors) to become readable. May end sooner with nothing, as when an engine is connected."""
        ...

    def close(self) -> None: ...


class WorkerLink:
    """Speaks for one job's worker. Used by one thread; owns its channel and its spool."""

    def __init__(self, channel: Channel, spool: Spool) -> None:
        self._channel = channel
        self._spool = spool
        self._log = structlog.get_logger("link")
        self._unacknowledged: deque[AnyReport] = deque()
        self._unsent: deque[AnyReport] = deque()
        self._was_acknowledged = False

    @property
    def is_settled(self) -> bool:
        """Whether every report is known to be committed."""
        return not self._unacknowledged

    @property
    def beat_ns(self) -> int:
        """How far heartbeats should be apart, in nanoseconds."""
        return self._channel.beat_ns

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
        return self._channel.send(encode(message))

    def flush(self) -> None:
        """Send what has not been sent, as far as the engine takes it; never blocks."""
        while self._unsent and self._channel.send(encode(self._unsent[0])):
            self._unsent.popleft()

    def receive(self, timeout_ms: float, others: Sequence[int] = ()) -> list[ToWorker]:
        """Commands that have arrived, as `Channel.receive` waits for them. An acknowledgement is none: each
        heartbeat gets one, and what the worker does is no other for it."""
        arrived = self._channel.receive(timeout_ms, others)
        if not arrived:
            return []
        commands = [to_worker.decode(packed) for packed in arrived]
        for command in commands:
            self._take_note(command)
        return [command for command in commands if not isinstance(command, Acknowledge)]

    def was_acknowledged(self) -> bool:
        """Whether an engine has acknowledged anything since last asked."""
        was, self._was_acknowledged = self._was_acknowledged, False
        return was

    def close(self) -> None:
        self._channel.close()
        self._spool.close()

    def _take_note(self, command: ToWorker) -> None:
        if isinstance(command, Acknowledge):
            self._was_acknowledged = True
        if isinstance(command, Acknowledge | Sync):
            while self._unacknowledged and self._unacknowledged[0].sequence <= command.acknowledged:
                self._unacknowledged.popleft()
        if isinstance(command, Sync | Assign):
            self._unsent = deque(self._unacknowledged)
            self.flush()
