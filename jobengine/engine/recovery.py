"""What becomes of decisions that can't be kept, and of whoever waits for them.

Everything that is not on disk is given up together. While the database is away, clients are told that
nothing was accepted, and workers keep their reports until it is back. Where a decision ended in an error that
nobody expected, or its rows were refused, all that was asked and heard is decided about anew: without the
request that is to blame, or with the job set aside that is. A job that somebody else has changed is read
again, and is to blame if that does not help.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

from jobengine.engine.blame import Blamed, is_stale, told
from jobengine.engine.blamed_rows import blame_rows
from jobengine.engine.decisions import Decisions
from jobengine.engine.dispatch import Dispatch, refusal
from jobengine.engine.edits import Edits, WaitingEdit
from jobengine.engine.groups import Groups
from jobengine.engine.parts import EngineParts
from jobengine.engine.set_aside import SetAside
from jobengine.engine.worker_news import WorkerNews
from jobengine.errors import ConflictError, JobEngineError, UnavailableError
from jobengine.messaging.engine_messages import AnyRequest

STALE_LIMIT = 3
"""How often in a row a job may be found changed by somebody else before it is to blame."""


class Recovery:
    """Catches what rounds raise. ``forget`` is called when memory is not what the database holds."""

    def __init__(  # noqa: PLR0913 - whoever holds something that is not on disk
        self,
        parts: EngineParts,
        groups: Groups,
        dispatch: Dispatch,
        news: WorkerNews,
        edits: Edits,
        aside: SetAside,
        forget: Callable[[], None],
    ) -> None:
        self._store = parts.store
        self._teller = parts.teller
        self._workers = parts.workers
        self._commands = parts.commands
        self._groups = groups
        self._dispatch = dispatch
        self._news = news
        self._edits = edits
        self._aside = aside
        self._forget = forget
        self._stale: Counter[str] = Counter()
        """How often jobs were stale since something was last decided about them that is on disk."""
        self._is_away = False
        self._is_anew = False
        self._log = structlog.get_logger("engine")

    @property
    def is_anew(self) -> bool:
        """Whether something was given up since `begin_round` that can be decided anew at once."""
        return self._is_anew

    def begin_round(self) -> None:
        """What was given up is decided anew from here on."""
        self._is_anew = False

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Give up everything that is not on disk when the database does not take it, or when a decision ended
        in an error that nobody expected. Raises only what nobody is to blame for."""
        try:
            yield
        except UnavailableError as error:
            self._refuse_all(self._drop(), error)
        except Exception as error:
            self._find_fault(error)

    def note_told(self, group: Decisions, failed: Mapping[str, Exception]) -> None:
        """A group is on disk. What was to follow outside has ``failed`` for some of its jobs."""
        if self._stale:
            for job_id in group.touched:
                self._stale.pop(job_id, None)
        if failed:
            self._aside.note(failed)
            self._is_anew = True

    def come_back(self) -> None:
        """Workers may have reported into a group that was given up: have them say it again."""
        if self._is_away:
            self._is_away = False
            self._log.info("database.back")
        workers = [worker.job_id for worker in self._workers.all()]
        self._workers.admission.keep_only(workers)
        self._workers.wait_anew()
        self._aside.for_each(workers, self._commands.sync)

    def _find_fault(self, error: Exception) -> None:
        """Decide anew about everything but who is to blame; raises ``error`` again if nobody is."""
        failed = self._drop()
        try:
            blamed = self._blame(error, failed)
        except UnavailableError as away:
            self._refuse_all(failed, away)
            return
        if blamed is not None:
            self._decide_anew(failed, blamed)
        elif isinstance(error, ConflictError):
            self._refuse_all(failed, UnavailableError("another owner has changed these jobs; try again"))
            self._log.error("group.refused", detail=error.detail)
        else:
            raise error

    def _blame(self, error: Exception, failed: Decisions) -> Blamed | None:
        """None: no job and no request is to blame. Raises UnavailableError."""
        blamed = error if isinstance(error, Blamed) else blame_rows(self._store, failed)
        if blamed is None:
            return None
        self._stale.update(job_id for job_id, fault in blamed.jobs.items() if is_stale(fault))
        jobs = {i: fault for i, fault in blamed.jobs.items() if not 0 < self._stale[i] < STALE_LIMIT}
        return Blamed(jobs, blamed.requests, is_stored=blamed.is_stored)

    def _drop(self) -> Decisions:
        """Leave everything that is not on disk; one group that holds whoever waited for it."""
        failed = self._groups.give_up()
        self._dispatch.leave(failed)
        self._news.leave(failed)
        self._forget()
        return failed

    def _refuse_all(self, failed: Decisions, error: JobEngineError) -> None:
        if not self._is_away:
            self._is_away = True
            self._log.error("database.away", detail=error.detail)
        abandoned = [(edit.client, edit.request) for edit in self._edits.abandoned()]
        for client, request in [*abandoned, *failed.requests]:
            self._teller.answer(client, refusal(request, error))

    def _decide_anew(self, failed: Decisions, blamed: Blamed) -> None:
        """All is asked and told again, but for the requests that are to blame."""
        edits = self._edits.abandoned()
        requests, jobs = _faults(failed, edits, blamed)
        for edit in edits:
            if (fault := requests.get(edit.request.request_id)) is not None:
                self._fail(edit.client, edit.request, fault)
            else:
                self._edits.wait_again(edit)
        for client, request in failed.requests:
            if (fault := requests.get(request.request_id)) is not None:
                self._fail(client, request, fault)
            else:
                self._dispatch.note([(client, request)])
        self._news.hear(failed.heard)
        self._aside.note(jobs, is_stored=blamed.is_stored)
        self._is_anew = True

    def _fail(self, client: bytes, request: AnyRequest, error: Exception) -> None:
        self._aside.note_request(request, error)
        self._teller.answer(client, refusal(request, told(error)))


def _faults(
    failed: Decisions, edits: Sequence[WaitingEdit], blamed: Blamed
) -> tuple[dict[str, Exception], dict[str, Exception]]:
    """The requests and the jobs that are to blame. A job is so only by itself: where a request was about it,
    or has made it, that goes first."""
    requests, jobs = dict(blamed.requests), dict(blamed.jobs)
    if blamed.is_stored:
        return requests, jobs
    for job_id, error in blamed.jobs.items():
        edited = {edit.request.request_id for edit in edits if edit.request.job_id == job_id}
        wanted = failed.requests_for(job_id) | edited
        if wanted:
            requests |= dict.fromkeys(wanted, error)
            del jobs[job_id]
    return requests, jobs
