"""The life of a worker process: get a job, run it, hand over every report, end.

A worker outlives its service. Without a word from any engine for the orphan grace it finishes its files,
notes that it was terminated in its spool, and ends; the next service reads the spool.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import structlog
import zmq

from jobengine import logs
from jobengine.clock import Clock, SystemClock, from_text
from jobengine.messaging.spool import Spool, ledger_of
from jobengine.messaging.worker_channel import DealerChannel
from jobengine.messaging.worker_link import WorkerLink
from jobengine.messaging.worker_messages import (
    PROTOCOL_VERSION,
    Assign,
    Fork,
    Hello,
    Release,
    ToWorker,
    WorkerSurroundings,
)
from jobengine.model.lifecycle import JobState
from jobengine.model.push import PushTarget
from jobengine.model.roots import MediaRoots
from jobengine.ports.work import Work, WorkContext
from jobengine.worker.course import Course, run_alone
from jobengine.worker.ending import Ending
from jobengine.worker.reporter import Reporter
from jobengine.worker.runtime import Runtime
from jobengine.worker.solitude import Solitude
from jobengine.worker.steps import Commands, Pause, Steps, breath
from jobengine.worker.stop_signal import StopSignal
from jobengine.worker.works import new_work, release

HELLO_PERIOD_NS = 250_000_000
CONNECT_PERIOD_NS = 2_000_000
"""A new socket takes a moment to connect; the first hello goes out as soon as it has."""
BEATS_UNHEARD = 2
"""So many heartbeats without an answer are as much silence as one turn can tell of."""


class WorkerHost:
    """What a process has before it has a job: its log, and a ZeroMQ context whose threads run."""

    def __init__(self) -> None:
        faulthandler.enable()
        logs.configure(style="json")
        self._context: zmq.Context[Any] = zmq.Context()
        self._context.socket(zmq.PAIR).close()

    def run(self, fork: Fork) -> None:
        """Be the worker that ``fork`` asks for; returns when nothing is left to do or to hand over."""
        structlog.contextvars.bind_contextvars(job_id=fork.job_id)
        signals = StopSignal()
        signals.install()
        channel = DealerChannel(self._context, fork.surroundings.address, f"{fork.job_id}:{os.getpid()}")
        link = WorkerLink(channel, Spool(Path(fork.spool)))
        try:
            Worker(fork, link, SystemClock(), signals, os.getpid(), new_work).run()
        finally:
            link.close()
            release()

    def close(self) -> None:
        """Let go of the context; blocks until what was sent is on its way."""
        self._context.term()


class Worker:
    """One worker, wherever it runs. ``new_work`` makes the work for a kind; ``process_id`` names it."""

    def __init__(
        self,
        fork: Fork,
        link: WorkerLink,
        clock: Clock,
        signals: StopSignal,
        process_id: int,
        new_work: Callable[[str], Work],
    ) -> None:
        self._fork = fork
        self._orphan_grace_s = fork.surroundings.orphan_grace_s
        self._link = link
        self._clock = clock
        self._signals = signals
        self._process_id = process_id
        self._new_work = new_work
        self._runtime: Runtime | None = None
        self._log = structlog.get_logger("worker")
        self._last_heard_ns = clock.monotonic_ns()
        self._is_stopped = False
        self._solitude = Solitude(clock)

    def run(self) -> None:
        """Run to the end; blocks."""
        run_alone(Course(self.steps()), self._receive, self._clock)

    def _receive(self, timeout_ms: float) -> Commands:
        """Wait for commands, for what wakes the work, and for the signal to stop while that is news."""
        watched = self._runtime.descriptors if self._runtime else ()
        if not self._is_stopped:
            watched = (*watched, *self._signals.descriptors)
        commands = self._link.receive(timeout_ms, watched)
        self._is_stopped = self._signals.stop
        return commands

    def steps(self) -> Steps:
        """From the first greeting to the last report."""
        assign = yield from self._await_job()
        if assign is None:
            return
        self._log.info("worker.assigned", kind=assign.kind, name=assign.name)
        reporter = Reporter(self._link, self._clock, assign)
        work = self._new_work(assign.kind)
        runtime = Runtime(
            assign, work, self._context_of(assign), reporter, self._clock, self._ending(reporter)
        )
        self._runtime = runtime
        yield breath(self._clock)
        yield from runtime.steps()
        self._runtime = None  # which knows the worker: what a job leaves behind is no garbage in cycles
        self._log.info("worker.done", state=str(runtime.state))
        yield from self._hand_over(reporter, runtime.state)

    def _await_job(self) -> Generator[Pause, list[ToWorker], Assign | None]:
        """Ask for the job until it comes; None when the service has gone or another worker has it."""
        while not self._signals.stop and not self._is_orphan(self._last_heard_ns):
            is_sent = self._link.say(Hello(PROTOCOL_VERSION, self._process_id))
            wait_ns = HELLO_PERIOD_NS if is_sent else CONNECT_PERIOD_NS
            for command in (yield Pause(self._clock.monotonic_ns() + wait_ns)):
                if isinstance(command, Assign):
                    return command
                if isinstance(command, Release):
                    return None
        return None

    def _hand_over(self, reporter: Reporter, state: JobState) -> Steps:
        """Stay until every report is committed. An engine that had some may have been killed before that:
        the heartbeat tells the next engine that there is something to ask for.
        """
        while not self._link.is_settled and not self._is_orphan(reporter.last_heard_ns):
            reporter.still_here(state)
            commands = yield Pause(self._clock.monotonic_ns() + HELLO_PERIOD_NS)
            reporter.heard(commands)
            if any(isinstance(command, Release) and command.fenced for command in commands):
                return

    def _ending(self, reporter: Reporter) -> Ending:
        def is_orphan() -> bool:
            return self._is_orphan(reporter.last_heard_ns)

        return Ending(self._signals, is_orphan, self._orphan_grace_s)

    def _is_orphan(self, last_heard_ns: int) -> bool:
        lasts_ns = self._solitude.lasts_ns(last_heard_ns, BEATS_UNHEARD * self._link.beat_ns)
        return lasts_ns > self._orphan_grace_s * 1e9

    def _context_of(self, assign: Assign) -> WorkContext:
        around, resume = self._fork.surroundings, assign.resume
        outputs = resume.outputs if resume else ()
        return WorkContext(
            job_id=assign.job_id,
            host=assign.host,
            roots=_roots(around),
            first_running=_moment(assign.first_running),
            resume_position=resume.position if resume else 0,
            previous_outputs=[(o.graph, Path(o.path), o.start_position) for o in outputs],
            contents=around.contents,
            ledger=str(ledger_of(Path(self._fork.spool))),
            results=around.results,
            result_lifetime_s=around.result_lifetime_s,
            copy_urls=around.copy_urls,
        )


def _roots(around: WorkerSurroundings) -> MediaRoots:
    return MediaRoots(
        PurePosixPath(around.media_base),
        tuple(PurePosixPath(root) for root in around.media_roots),
        around.url_schemes,
        tuple(PushTarget(url, key_file) for url, key_file in around.push_targets),
    )


def _moment(text: str | None) -> datetime | None:
    return from_text(text) if text else None
