"""What is heard of workers, and what comes of it: their reports, their starts and ends, their silence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobengine.engine.blame import blame, own
from jobengine.engine.decisions import Decisions
from jobengine.engine.edits import Edits
from jobengine.engine.jobs import Jobs
from jobengine.engine.live_job import LiveJob
from jobengine.engine.losses import describe_end
from jobengine.engine.parts import EngineParts
from jobengine.engine.reports import ReportTaker
from jobengine.engine.silence import STOOD_STILL_NS
from jobengine.errors import ConflictError
from jobengine.messaging.engine_messages import Refused
from jobengine.messaging.spool import read_spool
from jobengine.messaging.worker_messages import AnyReport, FromWorker, Hello, Progress, Report, Withdrawn
from jobengine.ports.work import WorkerEnded, WorkerStarted

News = WorkerStarted | WorkerEnded
"""Of worker processes."""
Heard = Sequence[tuple[str, FromWorker]]
"""Messages with the identities of the workers that sent them."""


class WorkerNews:
    """Turns what is heard into decisions; what has not been decided about is kept until it was."""

    def __init__(self, parts: EngineParts, edits: Edits, jobs: Jobs) -> None:
        self._workers = parts.workers
        self._commands = parts.commands
        self._losses = parts.losses
        self._silence = parts.silence
        self._clock = parts.clock
        self._edits = edits
        self._jobs = jobs
        self._reports = ReportTaker(parts.workers, parts.commands)
        self._unheard: list[tuple[str, FromWorker]] = []
        self._unsettled: list[News] = []
        self._silence_changes: dict[str, str] = {}
        self._looked_ns = parts.clock.monotonic_ns()

    @property
    def has_messages(self) -> bool:
        """Whether something was heard that `take` has to decide about."""
        return bool(self._unheard)

    def hear(self, heard: Heard) -> None:
        """To be decided about in the next round, in this order."""
        self._unheard += heard

    def note(self, news: Sequence[News]) -> None:
        """To be decided about in the next round."""
        self._unsettled += news

    def note_silence(self) -> None:
        """Note which workers never came forward, and which have fallen silent or speak again.

        Nobody was silent towards an engine that stood still: all have their time from then on.
        """
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._looked_ns > STOOD_STILL_NS:
            self._workers.wait_anew()
        self._looked_ns = now_ns
        silent = self._workers.given_up()
        self.note([WorkerEnded(worker.process_id, None, worker.job_id) for worker in silent])
        self._silence_changes |= self._silence.changes(now_ns)

    def leave(self, failed: Decisions) -> None:
        """These decisions were given up: what was heard shares their fate, as workers can tell it again. What
        is known of processes and of silence is to be decided anew."""
        failed.heard += self._unheard
        self._unheard = []
        self._unsettled = failed.news + self._unsettled
        self._silence_changes = failed.silence | self._silence_changes

    def jobs_of(self) -> Iterator[str]:
        """The jobs that `take` will decide about, but for silence."""
        yield from (_job_of(identity) for identity, _ in self._unheard)
        for one in self._unsettled:
            if isinstance(one, WorkerEnded):
                yield from (worker.job_id for worker in self._workers.ended(one))

    def take(self, decisions: Decisions) -> None:
        """Decide about all that was heard and noted. The jobs told by `jobs_of` must be in memory.

        Raises Blamed.
        """
        self._take_heard(decisions)
        self._take_news(decisions)
        self._take_silence(decisions)

    def _take_heard(self, decisions: Decisions) -> None:
        heard, self._unheard = self._unheard, []
        decisions.heard += heard
        in_order: dict[str, list[AnyReport]] = {}
        blamed: dict[str, Exception] = {}
        for identity, message in heard:
            try:
                self._take_message(identity, message, in_order, decisions)
            except Exception as error:
                blamed[_job_of(identity)] = own(error)
        for job_id, messages in in_order.items():
            try:
                if (job := self._jobs.get(job_id)) is not None:
                    self._reports.take(job, messages, decisions)
            except Exception as error:
                blamed[job_id] = own(error)
        blame(blamed)

    def _take_message(
        self, identity: str, message: FromWorker, in_order: dict[str, list[AnyReport]], decisions: Decisions
    ) -> None:
        """Reports are put ``in_order``, by job."""
        job_id = _job_of(identity)
        job = self._jobs.get(job_id)
        if isinstance(message, Hello):
            self._commands.greet(job, identity, message.process_id, decisions)
        elif job is None or not self._workers.owns(job, identity):
            self._commands.fence(identity)
        elif isinstance(message, Progress):
            self._commands.heard(job, message)
        elif isinstance(message, Withdrawn):
            self._finish_edit(message, job, decisions)
        elif isinstance(message, Report):
            in_order.setdefault(job_id, []).append(message)

    def _finish_edit(self, message: Withdrawn, job: LiveJob, decisions: Decisions) -> None:
        try:
            done = self._edits.withdrawn(message, job, decisions)
        except ConflictError as error:
            waiting = error.facts["waiting"]
            decisions.answer(waiting.client, Refused(waiting.request.request_id, error.code, error.detail))
        else:
            if done is not None:
                decisions.answer(*done)

    def _take_news(self, decisions: Decisions) -> None:
        news, self._unsettled = self._unsettled, []
        decisions.news += news
        blamed: dict[str, Exception] = {}
        for one in news:
            if isinstance(one, WorkerStarted):
                self._workers.started(one)
                continue
            for worker in self._workers.ended(one):
                try:
                    self._take_ended(worker.job_id, describe_end(one.status), decisions)
                except Exception as error:
                    blamed[worker.job_id] = own(error)
        blame(blamed)

    def _take_ended(self, job_id: str, cause: str, decisions: Decisions) -> None:
        self._jobs.load([job_id])
        job, worker = self._jobs.get(job_id), self._workers.of(job_id)
        if job is None or worker is None:
            return
        self._reports.take(job, list(read_spool(self._workers.folders.spool(job_id))), decisions)
        if not job.state.is_final:
            self._losses.lost(job, worker, cause, decisions)

    def _take_silence(self, decisions: Decisions) -> None:
        changes, self._silence_changes = self._silence_changes, {}
        decisions.silence |= changes
        for job in self._jobs.loaded(changes):
            if not job.state.is_final:
                decisions.status_message(job, changes[job.record.job_id])


def _job_of(identity: str) -> str:
    return identity.partition(":")[0]
