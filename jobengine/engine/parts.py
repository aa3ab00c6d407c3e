"""What an engine is made of; the composition root puts it together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from jobengine.clock import Clock
from jobengine.engine.commands import Commands
from jobengine.engine.host import HostRunner
from jobengine.engine.losses import Losses
from jobengine.engine.requests import Requests
from jobengine.engine.silence import SilenceWatch
from jobengine.engine.workers import Workers
from jobengine.history.store import SqlJobStore
from jobengine.messaging.engine_messages import Answer


class Teller(Protocol):
    """Answers to clients and notices to everybody."""

    def answer(self, client: bytes, answer: Answer) -> None: ...
    def notify(self, job_ids: tuple[str, ...]) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineParts:
    """The parts of one engine. ``store`` is the write side of the history.

    ``executor`` has one thread, which commits; ``wake``, called by it, asks for a further step.
    """

    store: SqlJobStore
    teller: Teller
    workers: Workers
    commands: Commands
    losses: Losses
    silence: SilenceWatch
    host: HostRunner
    requests: Requests
    clock: Clock
    executor: Executor
    wake: Callable[[], None]
