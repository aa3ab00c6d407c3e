"""Workers whose every word is spoken by the test: for doubles, gaps, silence and sudden death."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from jobengine.clock import Clock, to_text
from jobengine.messaging.worker_messages import (
    PROTOCOL_VERSION,
    Assign,
    Changed,
    Counts,
    FromWorker,
    Hello,
    OutputClosed,
    OutputOpened,
    Passed,
    Position,
    Progress,
    ToWorker,
    Withdraw,
    Withdrawn,
)
from jobengine.ports.work import WorkerEnded, WorkerProcess, WorkerStarted

News = WorkerStarted | WorkerEnded
SAMPLE_RATE = 48_000


class PuppetWorkers:
    """Launcher and command channel of an engine; keeps what it was asked for and sends what it is told."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.launched: list[WorkerProcess] = []
        self.commands: list[tuple[str, ToWorker]] = []
        """(identity, command) of everything the engine said, in order."""
        self.killed: list[int] = []
        self.alive: set[int] = set()
        self._process_ids = count(1001)
        self._reports: list[tuple[str, FromWorker]] = []
        self._news: list[News] = []
        self._is_connected = True

    def launch(self, process: WorkerProcess) -> None:
        self.launched.append(process)

    @property
    def failures(self) -> Mapping[str, int]:
        """None: there is nothing that makes workers."""
        return {}

    def watch(self, process_id: int, job_id: str = "") -> bool:
        return process_id in self.alive

    def kill(self, process_id: int) -> None:
        self.killed.append(process_id)
        self.end(process_id, -9)

    def command(self, identity: str, command: ToWorker) -> None:
        self.commands.append((identity, command))

    def start(self, job_id: str) -> Puppet:
        """Fork the worker that was asked for last for this job; it has not said anything yet."""
        process = next(p for p in reversed(self.launched) if p.job_id == job_id)
        process_id = next(self._process_ids)
        self.alive.add(process_id)
        self._news.append(WorkerStarted(job_id, process_id))
        return Puppet(self, process, process_id)

    def end(self, process_id: int, status: int | None) -> None:
        """A worker process is gone."""
        self.alive.discard(process_id)
        self._news.append(WorkerEnded(process_id, status))

    def say(self, identity: str, message: FromWorker) -> None:
        """Put a message on the wire; it is lost while there is no service."""
        if self._is_connected:
            self._reports.append((identity, message))

    def take_news(self) -> list[News]:
        """What the launcher has learned since last asked."""
        news, self._news = self._news, []
        return news

    def take_reports(self) -> list[tuple[str, FromWorker]]:
        """What workers have said since last asked."""
        reports, self._reports = self._reports, []
        return reports

    def run_until_idle(self) -> bool:
        """Puppets do nothing by themselves."""
        return False

    def next_wake_ns(self) -> int | None:
        """Puppets wait for nothing."""
        return None

    def service_is_away(self) -> None:
        """What was on the wire is lost with the service."""
        self._is_connected = False
        self._reports.clear()

    def service_is_back(self) -> None:
        """What puppets say from now on arrives."""
        self._is_connected = True

    def close(self) -> None:
        """Nothing is held."""


class Puppet:
    """One worker. Its reports are numbered from ``sequence`` + 1 on; positions are samples."""

    def __init__(self, workers: PuppetWorkers, process: WorkerProcess, process_id: int) -> None:
        self._workers = workers
        self.process = process
        self.process_id = process_id
        self.identity = f"{process.job_id}:{process_id}"
        self.sequence = 0

    @property
    def commands(self) -> list[ToWorker]:
        """What this worker was told so far."""
        return [command for identity, command in self._workers.commands if identity == self.identity]

    @property
    def assignment(self) -> Assign:
        """The job it was given. Raises StopIteration while it has none."""
        return next(command for command in self.commands if isinstance(command, Assign))

    def hello(self) -> None:
        """Ask for the job."""
        self.say(Hello(PROTOCOL_VERSION, self.process_id))

    def passed(self, transition_id: str, state: str, samples: int = 0, **members: Any) -> Passed:
        """Report that a transition passed at this sample."""
        report = Passed(transition_id=transition_id, state=state, **self._base(samples), **members)
        self.say(report)
        return report

    def changed(self, requested: str, state: str, samples: int = 0, **info: Any) -> Changed:
        """Report a change that nobody planned."""
        report = Changed(requested=requested, state=state, info=info, **self._base(samples))
        self.say(report)
        return report

    def opened(self, number: int, path: str, start_position: int = 0) -> OutputOpened:
        """Report that a file is being written."""
        base = self._base(start_position)
        report = OutputOpened(
            number=number, graph="Out", kind="file", path=path, start_position=start_position, **base
        )
        self.say(report)
        return report

    def closed(self, number: int, samples: int) -> OutputClosed:
        """Report that a file is complete."""
        report = OutputClosed(number=number, samples=samples, **self._base(samples))
        self.say(report)
        return report

    def beat(
        self, state: str, samples: int = 0, revision: int | None = None, engine: str | None = None
    ) -> None:
        """Send a heartbeat; by default of a worker that knows everything it was told."""
        told = self.assignment
        known = revision if revision is not None else 2**31
        position = Position(samples, f"1/{SAMPLE_RATE}", samples)
        self.say(Progress(state, position, known, engine or told.engine))

    def withdrawn(self, *, transition_ids: Sequence[str] | None = None, counts: Counts | None = None) -> None:
        """Answer the last Withdraw: by default everything asked for is let go."""
        asked = next(c for c in reversed(self.commands) if isinstance(c, Withdraw))
        ids = asked.transition_ids if transition_ids is None else tuple(transition_ids)
        self.say(Withdrawn(asked.request, ids, counts))

    def say(self, message: FromWorker) -> None:
        """Send any message, also one that was sent before."""
        self._workers.say(self.identity, message)

    def die(self, status: int | None = -9) -> None:
        """End, with this exit code or minus the signal."""
        self._workers.end(self.process_id, status)

    def _base(self, samples: int) -> dict[str, Any]:
        self.sequence += 1
        now = to_text(self._workers.clock.now())
        return {
            "sequence": self.sequence,
            "time": now,
            "position": Position(samples, f"1/{SAMPLE_RATE}", samples),
        }
