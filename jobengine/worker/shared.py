"""A worker process that many jobs share: one thread, one loop over absolute moments, no task for each job.

Jobs come from the nursery, over a socket pair; each is the steps of a `jobengine.worker.main.Worker` of its
own. The loop resumes whoever's moment has come, or whoever was sent something. A job that breaks is told
to the nursery as gone; it never touches another one.
"""

from __future__ import annotations

import faulthandler
import os
import select
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
import zmq

from jobengine import logs
from jobengine.clock import Clock, SystemClock
from jobengine.garbage import Garbage
from jobengine.messaging.spool import Spool
from jobengine.messaging.worker_channel import JobChannel, SharedChannel
from jobengine.messaging.worker_link import WorkerLink
from jobengine.messaging.worker_messages import MAX_FORK_BYTES, Fork, Left, encode, fork_decoder
from jobengine.ports.work import Work, goes_by_elements
from jobengine.worker.course import Course
from jobengine.worker.load import Load
from jobengine.worker.main import Worker
from jobengine.worker.promptness import be_prompt
from jobengine.worker.steps import NOTHING
from jobengine.worker.stop_signal import StopSignal
from jobengine.worker.turns import Turns
from jobengine.worker.works import new_work, release

IDLE_NS = 1_000_000_000
LOOK_NS = 1_000_000
"""How long the loop may be busy with jobs until it looks for messages again."""
GATHER_MAX_NS = 2_000_000
GATHER_FROM = 0.25
"""From this load on, what falls due within a while shares a waking, from twice that on within the maximum: a
thread that is woken for each of ten thousand elements a second does little else than wake up. Some dozen jobs
are on the dot."""
QUIET_NS = 50_000_000
"""Who rests for so long may look for garbage."""
GARBAGE_PATIENCE_NS = 3_600_000_000_000
"""Jobs that end leave none in cycles, and to look through the elements of four hundred takes 0.1 to 0.2 s."""


class JobLog:
    """A text stream that writes to the log of the job whose turn it is; to the process's own before any."""

    def __init__(self) -> None:
        self.path: Path | None = None

    def write(self, text: str) -> int:
        if self.path is None:
            sys.stderr.write(text)
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
        return len(text)

    def flush(self) -> None:
        """Everything is written at once."""

    def isatty(self) -> bool:
        return False


class _Job:
    """One job among others. ``wake_ns`` and ``is_timely`` are for `jobengine.worker.turns`; ``is_short``:
    it is in the line of those that want to read ahead."""

    def __init__(self, fork: Fork, link: WorkerLink, channel: JobChannel, course: Course) -> None:
        self.job_id = fork.job_id
        self.log = Path(fork.log)
        self.link = link
        self.channel = channel
        self.course = course
        self.wake_ns = 0
        self.is_timely = False
        self.is_short = False
        self.descriptors: Sequence[int] = ()


class SharedWorker:
    """Runs jobs until there are none and the nursery is gone. ``nursery`` is a socket of messages."""

    def __init__(
        self,
        nursery: socket.socket,
        channel: SharedChannel,
        clock: Clock,
        signals: StopSignal,
        new_work: Callable[[str], Work],
        log: JobLog,
    ) -> None:
        self._nursery: socket.socket | None = nursery
        self._channel = channel
        self._clock = clock
        self._signals = signals
        self._new_work = new_work
        self._log = log
        self._garbage = Garbage(clock, GARBAGE_PATIENCE_NS)
        self._load = Load(clock)
        self._logger = structlog.get_logger("shared")
        self._jobs: dict[bytes, _Job] = {}
        self._turns: Turns[_Job] = Turns()
        self._short: deque[_Job] = deque()
        self._woken_ns = 0
        self._watchers: dict[int, set[_Job]] = {}
        self._poller = select.epoll()
        self._poller.register(nursery, select.EPOLLIN)
        self._poller.register(channel.descriptor, select.EPOLLIN)
        for descriptor in signals.descriptors:
            self._poller.register(descriptor, select.EPOLLIN | select.EPOLLET)

    def run(self) -> None:
        """Serve; blocks. Garbage of the process is the loop's to collect from then on."""
        self._garbage.begin()
        while self._jobs or (self._nursery is not None and not self._signals.stop):
            self._wake(channel.identity for channel in self._channel.distribute())
            self._garbage.look(self._rest_ns() > QUIET_NS)
            self._wait()
            self._run_due()
        self._poller.close()

    def _wait(self) -> None:
        """Until the next moment, or something arrives; to the microsecond, which epoll alone would not."""
        if select.select((self._poller,), (), (), self._rest_ns() / 1e9)[0]:
            self._take_in()
        self._woken_ns = self._clock.monotonic_ns()

    def _rest_ns(self) -> int:
        """How long there is nothing to do if nothing arrives."""
        if self._short:
            return 0
        now_ns = self._clock.monotonic_ns()
        next_ns = self._turns.next_ns(now_ns)
        if next_ns is None:
            return IDLE_NS
        if next_ns > now_ns:
            next_ns = max(next_ns, self._woken_ns + self._gather_ns)
        return max(0, next_ns - now_ns)

    @property
    def _gather_ns(self) -> int:
        return int(GATHER_MAX_NS * min(1.0, max(0.0, self._load.share / GATHER_FROM - 1)))

    def _take_in(self) -> None:
        """Wake those for whom something has arrived."""
        for descriptor, _ in self._poller.poll(0):
            if descriptor == self._channel.descriptor:
                self._wake(job.identity for job in self._channel.distribute())
            elif self._nursery is not None and descriptor == self._nursery.fileno():
                self._take_from(self._nursery)
            elif descriptor in self._signals.descriptors:
                self._stop_all()
            else:
                self._wake(job.channel.identity for job in self._watchers.get(descriptor, ()))

    def _stop_all(self) -> None:
        """Have every job notice now that the process was told to stop."""
        for job in self._jobs.values():
            job.course.forbid_along()
        self._wake(self._jobs)

    def _wake(self, identities: Iterable[bytes]) -> None:
        now_ns = self._clock.monotonic_ns()
        for identity in identities:
            job = self._jobs.get(identity)
            if job is not None and job.wake_ns > now_ns:
                self._turns.put(job, now_ns)

    def _run_due(self) -> None:
        """Whoever's turn it is; where it is nobody's, one job reads ahead."""
        now_ns = self._clock.monotonic_ns()
        until_ns = now_ns + LOOK_NS
        while now_ns < until_ns:
            job = self._turns.take(now_ns)
            if job is not None:
                self._step(job, now_ns)
            elif self._short:
                self._read_ahead(self._short.popleft())
            else:
                break
            now_ns = self._clock.monotonic_ns()
        self._load.worked(self._woken_ns, now_ns)

    def _step(self, job: _Job, now_ns: int) -> None:
        self._log.path = job.log
        try:
            is_told = job.channel.arrived and job.course.hears
            wake_ns = job.course.turn(job.link.receive(0) if is_told else NOTHING, now_ns)
            if not job.course.went_along:
                self._look_at(job)
        except StopIteration:
            self._leave(job, 0)
        except Exception:
            self._logger.exception("job.broken", job_id=job.job_id)
            self._leave(job, 1)
        else:
            self._turns.put(job, wake_ns)

    def _look_at(self, job: _Job) -> None:
        """What the job has to wait for now, and whether it wants to read ahead."""
        work = job.course.work
        if work is None:
            return
        if work.descriptors != job.descriptors:
            self._unwatch(job)
            self._watch(job, work.descriptors)
        job.is_timely = work.is_timely
        if work.is_short and not job.is_short:
            job.is_short = True
            self._short.append(job)

    def _read_ahead(self, job: _Job) -> None:
        """A fault is the job's: whoever reads on at its next turn meets it again, and tells it."""
        job.is_short = False
        if job.course.work is not None and job.channel.identity in self._jobs:
            try:
                job.course.work.get_ahead()
            except Exception:
                self._logger.exception("job.not_read_ahead", job_id=job.job_id)

    def _watch(self, job: _Job, descriptors: Sequence[int]) -> None:
        """Look at the descriptors that the work may be woken by now; works of one sink have the same ones."""
        job.descriptors = descriptors
        for descriptor in descriptors:
            watchers = self._watchers.setdefault(descriptor, set())
            if not watchers:
                self._poller.register(descriptor, select.EPOLLIN | select.EPOLLET)
            watchers.add(job)

    def _unwatch(self, job: _Job) -> None:
        for descriptor in job.descriptors:
            watchers = self._watchers[descriptor]
            watchers.discard(job)
            if not watchers:
                del self._watchers[descriptor]
                with suppress(OSError):  # one that its work has closed is not watched any more
                    self._poller.unregister(descriptor)

    def _take_from(self, nursery: socket.socket) -> None:
        """One job, or the word that there will be no more; what else has come is taken at the next turn."""
        try:
            packed = nursery.recv(MAX_FORK_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionResetError:
            packed = b""
        if packed:
            self._take_job(fork_decoder.decode(packed))
            return
        self._poller.unregister(nursery)
        nursery.close()
        self._nursery = None

    def _take_job(self, fork: Fork) -> None:
        self._log.path = Path(fork.log)
        former = self._jobs.get(f"{fork.job_id}:{os.getpid()}".encode())
        if former is not None:
            self._leave(former, 0)
        channel = self._channel.open(f"{fork.job_id}:{os.getpid()}")
        try:
            link = WorkerLink(channel, Spool(Path(fork.spool)))
        except OSError:
            self._logger.exception("job.not_taken", job_id=fork.job_id)
            channel.close()
            self._tell(Left(fork.job_id, os.getpid(), 1))
            return

        def new_work(kind: str) -> Work:
            work = self._new_work(kind)
            course.work = work if goes_by_elements(work) else None
            return work

        worker = Worker(fork, link, self._clock, self._signals, os.getpid(), new_work)
        course = Course(worker.steps())
        job = self._jobs[channel.identity] = _Job(fork, link, channel, course)
        self._turns.put(job, self._clock.monotonic_ns())

    def _leave(self, job: _Job, status: int) -> None:
        self._unwatch(job)
        del self._jobs[job.channel.identity]
        job.link.close()
        self._tell(Left(job.job_id, os.getpid(), status))

    def _tell(self, left: Left) -> None:
        if self._nursery is not None:
            try:
                self._nursery.send(encode(left), socket.MSG_DONTWAIT)
            except OSError as error:
                self._logger.warning("nursery.not_told", job_id=left.job_id, detail=str(error))


def run_shared(address: str, nursery: socket.socket, get_ready: Callable[[JobLog], None]) -> None:
    """Run as a worker that jobs share; returns when there are no jobs and no nursery any more.

    Jobs that come while it gets ready wait for that. It may have a job of its own then, with a log.
    """
    faulthandler.enable()
    be_prompt()
    log = JobLog()
    logs.configure(style="json", stream=cast("TextIO", log))
    signals = StopSignal()
    signals.install()
    context: zmq.Context[Any] = zmq.Context()
    channel = SharedChannel(context, address, os.getpid())
    try:
        get_ready(log)
        SharedWorker(nursery, channel, SystemClock(), signals, new_work, log).run()
    finally:
        channel.close()
        context.term()
        release()
