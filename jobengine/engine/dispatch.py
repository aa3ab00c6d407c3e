"""Requests of clients: each once, to whoever carries it out, with an answer that is told after the commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jobengine.engine.blame import Blamed, own
from jobengine.engine.counters import Counters
from jobengine.engine.decisions import Decisions
from jobengine.engine.edits import Edits
from jobengine.engine.events import EventFirer
from jobengine.engine.jobs import Jobs
from jobengine.engine.live_job import LiveJob
from jobengine.engine.requests import Requests, answered_before, check_known
from jobengine.errors import JobEngineError, NotFoundError
from jobengine.history.store import SqlJobStore
from jobengine.messaging.engine_messages import (
    Accepted,
    AnyRequest,
    ChangeJob,
    ChangeTransition,
    DeleteJob,
    RaiseEvent,
    ReadProgress,
    ReadService,
    Refused,
    RemoveTransition,
    SendVolatile,
    SetVariable,
    SubmitJob,
)


@dataclass(frozen=True, slots=True)
class Carriers:
    """Who carries requests out."""

    requests: Requests
    edits: Edits
    events: EventFirer
    counters: Counters


class Dispatch:
    """Hands requests to their carriers; what has not been decided about is kept until it was."""

    def __init__(self, store: SqlJobStore, jobs: Jobs, carriers: Carriers) -> None:
        self._store = store
        self._jobs = jobs
        self._requests = carriers.requests
        self._edits = carriers.edits
        self._events = carriers.events
        self._counters = carriers.counters
        self._untaken: list[tuple[bytes, AnyRequest]] = []

    @property
    def is_waiting(self) -> bool:
        """Whether `take` has something to decide about."""
        return bool(self._untaken)

    def note(self, requests: Iterable[tuple[bytes, AnyRequest]]) -> None:
        """To be decided about in the next round."""
        self._untaken += requests

    def leave(self, failed: Decisions) -> None:
        """Nothing is decided about what waits: it shares the fate of these decisions."""
        failed.requests += self._untaken
        self._untaken = []

    def jobs_of(self) -> Iterator[str]:
        """The jobs that `take` will decide about, but for new ones."""
        yield from (job_id for _, request in self._untaken if (job_id := getattr(request, "job_id", "")))

    def take(self, decisions: Decisions, before: Iterable[Decisions]) -> None:
        """Decide about all that was noted. The jobs told by `jobs_of` must be in memory.

        ``before``: the groups that are on their way to the disk.

        Raises Blamed.
        """
        requests, self._untaken = self._untaken, []
        decisions.requests += requests
        ahead = {key: answer for group in before for key, answer in group.remembered.items()}
        keys = _keys(requests)
        known = (self._store.find_idempotency(keys) if keys else {}) | ahead | decisions.remembered
        decisions.must_follow |= not ahead.keys().isdisjoint(keys)
        for client, request in requests:
            try:
                answer = self._carry_out(client, request, known, decisions)
            except JobEngineError as error:
                decisions.answer(client, refusal(request, error))
            except Exception as error:
                raise Blamed(requests={request.request_id: own(error)}) from error
            else:
                if answer is not None:
                    decisions.answer(client, answer)

    def _carry_out(
        self, client: bytes, request: AnyRequest, known: dict[tuple[str, str], Any], decisions: Decisions
    ) -> Accepted | None:
        key = getattr(request, "idempotency", None)
        if key is not None and (key.key, key.scope) in known:
            return answered_before(key, known[key.key, key.scope], request.request_id)
        answer = self._dispatch(client, request, decisions)
        if key is not None and answer is not None:
            remembered = _Remembered(key.request_hash, answer)
            known[key.key, key.scope] = decisions.remembered[key.key, key.scope] = remembered
        return answer

    def _dispatch(self, client: bytes, request: AnyRequest, decisions: Decisions) -> Accepted | None:
        match request:
            case SubmitJob():
                job, answer = self._requests.submit(request, decisions)
                self._jobs.add(job)
                self._note_events(job)
                return answer
            case RaiseEvent():
                return self._requests.raise_event(request, decisions)
            case SetVariable():
                return self._requests.set_variable(request, decisions)
            case ReadProgress():
                return self._counters.read(request)
            case ReadService():
                return self._counters.read_service(request)
            case _:
                return self._dispatch_to_job(client, request, decisions)

    def _dispatch_to_job(self, client: bytes, request: Any, decisions: Decisions) -> Accepted | None:
        if self._jobs.is_left_out(request.job_id):
            raise JobEngineError("the engine has left this job out; its log tells why")
        job = check_known(self._jobs.get(request.job_id), request.job_id)
        match request:
            case ChangeJob():
                answer = self._requests.change(request, job, decisions)
                self._note_events(job)
                return answer
            case DeleteJob():
                return self._requests.delete(request, job, decisions)
            case SendVolatile():
                return self._requests.send_volatile(request, job, decisions)
            case ChangeTransition() | RemoveTransition():
                edited = self._edits.begin(client, request, job, decisions)
                self._note_events(job)
                return edited
        raise NotFoundError(f"no such request: {type(request).__name__}")

    def _note_events(self, job: LiveJob) -> None:
        for transition in job.pending.values():
            self._events.note(transition)


def _keys(requests: Sequence[tuple[bytes, AnyRequest]]) -> list[tuple[str, str]]:
    keys = [r.idempotency for _, r in requests if isinstance(r, SubmitJob | ChangeJob) and r.idempotency]
    return [(key.key, key.scope) for key in keys]


class _Remembered:
    """An answer that is not on disk yet, shaped as the store's."""

    def __init__(self, request_hash: str, answer: Accepted) -> None:
        self.request_hash = request_hash
        self.job_id = answer.job_id
        self.response = {"transitionIds": list(answer.transition_ids), "revision": answer.revision}


def refusal(request: Any, error: JobEngineError) -> Refused:
    """What a client is told instead of what it asked for."""
    return Refused(request.request_id, error.code, error.detail, dict(error.facts))
