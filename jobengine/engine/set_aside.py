"""Jobs that the engine can't go on with: each ends in Error, with a row that says why, and all others go on.

Nothing is needed for that but the job's own row, without what its client says of it. Where even that can't be
read or written, the job is left out: as long as this engine lives, it decides nothing about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping

import structlog

from jobengine.clock import Clock
from jobengine.engine.blame import Blamed, in_words, own
from jobengine.engine.commands import Commands
from jobengine.engine.decisions import Decisions, Passing
from jobengine.engine.jobs import Jobs
from jobengine.engine.live_job import LiveJob
from jobengine.engine.workers import Workers
from jobengine.errors import UnavailableError
from jobengine.history.loading import BareJob
from jobengine.history.store import SqlJobStore
from jobengine.model.lifecycle import EngineRequest, decide

_CAUSE = "the job was set aside: the engine could not go on with it ({}); the log has the details"
_STORED = "the job was set aside: what is stored of it can't be read ({}); the log has the details"


class SetAside:
    """``counts`` tells how many jobs were set aside and left out, and how many requests have failed."""

    def __init__(
        self, store: SqlJobStore, workers: Workers, commands: Commands, jobs: Jobs, clock: Clock
    ) -> None:
        self.counts = Counter(job=0, left_out=0, request=0)
        self._store = store
        self._workers = workers
        self._commands = commands
        self._jobs = jobs
        self._clock = clock
        self._waiting: dict[str, str] = {}
        self._ended: set[str] = set()
        self._log = structlog.get_logger("engine")

    @property
    def is_waiting(self) -> bool:
        """Whether jobs wait for `end`, which nothing else may be decided about."""
        return bool(self._waiting)

    def note(self, blamed: Mapping[str, Exception], *, is_stored: bool = False) -> None:
        """These jobs are to be ended; left out those of which that was tried before."""
        for job_id, error in blamed.items():
            self._jobs.leave_out(job_id)
            if job_id in self._waiting or job_id in self._ended:
                self._leave_out(job_id, error)
                continue
            self.counts["job"] += 1
            self._log.error("job.set_aside", job_id=job_id, exc_info=error)
            self._waiting[job_id] = (_STORED if is_stored else _CAUSE).format(in_words(error))

    def readable(self, job_ids: Collection[str]) -> list[LiveJob]:
        """Those of these jobs that can be read; the others are to be ended. Raises UnavailableError."""
        try:
            self._jobs.load(job_ids)
        except Blamed as blamed:
            self.note(blamed.jobs, is_stored=True)
        return [job for job_id in job_ids if (job := self._jobs.get(job_id)) is not None]

    def for_each(self, job_ids: Collection[str], act: Callable[[LiveJob], None]) -> None:
        """Do something outside of a group about each of these jobs; those of which it fails are to be ended.

        Raises UnavailableError.
        """
        for job in self.readable(job_ids):
            try:
                act(job)
            except Exception as error:
                self.note({job.record.job_id: own(error)})

    def note_request(self, request: object, error: Exception) -> None:
        """A request could not be carried out; its client is told."""
        self.counts["request"] += 1
        self._log.error("request.failed", request=type(request).__name__, exc_info=error)

    def end(self, decisions: Decisions) -> None:
        """End the jobs that wait for it, in a group of their own. Raises UnavailableError."""
        for job_id, cause in list(self._waiting.items()):
            try:
                self._end_one(job_id, cause, decisions)
            except UnavailableError:
                raise
            except Exception as error:
                self._leave_out(job_id, error)

    def _end_one(self, job_id: str, cause: str, decisions: Decisions) -> None:
        bare = self._store.load_bare(job_id)
        if bare is None or bare.job.current_state.is_final:
            self._is_over(job_id)
        else:
            self._fail(bare, cause, decisions)

    def _fail(self, bare: BareJob, cause: str, decisions: Decisions) -> None:
        record = bare.job
        job, worker = LiveJob(record, self._clock), self._workers.of(record.job_id)
        state, process_id = record.current_state, record.worker_process_id
        beat = worker.progress if worker is not None else None
        position = beat.position.document() if beat is not None else bare.position
        info = {"cause": cause, "code": "internal", "stage": str(state)}
        record.worker_process_id = 0
        record.status_message = record.friendly_status_message = cause
        at = Passing(decisions.now_text, position, info=info)
        decisions.implicit(job, EngineRequest.FAIL, decide(state, EngineRequest.FAIL), at)
        self._close_outputs(record.job_id, decisions)
        for transition_id in bare.waking:
            decisions.batch.clear_wake(record.job_id, transition_id)
        decisions.after_commit(record.job_id, self._leaving(record.job_id, process_id))

    def _close_outputs(self, job_id: str, decisions: Decisions) -> None:
        """Its worker closes what it writes, and is not heard any more: nobody knows how much there is."""
        for output in self._store.load_outputs([job_id]):
            if not output.closed:
                output.closed = True
                decisions.output(output, "output.closed")

    def _leaving(self, job_id: str, process_id: int) -> Callable[[], None]:
        def act() -> None:
            self._is_over(job_id)
            self._send_away(job_id, process_id)
            self._workers.clear_up(job_id)

        return act

    def _is_over(self, job_id: str) -> None:
        """It has its end, or is of no concern; should it be blamed again, it is left out."""
        self._waiting.pop(job_id, None)
        self._ended.add(job_id)
        self._jobs.take_in(job_id)

    def _leave_out(self, job_id: str, error: Exception) -> None:
        self._waiting.pop(job_id, None)
        self.counts["left_out"] += 1
        self._log.error("job.left_out", job_id=job_id, exc_info=error)
        self._send_away(job_id, 0)

    def _send_away(self, job_id: str, process_id: int) -> None:
        """Its worker stops at once if it hears this, else when it next says something."""
        worker = self._workers.of(job_id)
        if worker is not None:
            process_id = worker.process_id
        self._workers.leave(job_id)
        if process_id:
            self._commands.fence(f"{job_id}:{process_id}")
