"""Jobs of the dialect: make, list, cancel, replace the stop condition.

A job made here is a ``restream`` job like any other, with its history under ``/api/jobs``; what was posted
is kept in its ``clientData``, and only jobs that have it are seen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from jobengine.contents.catalogue import Catalogue
from jobengine.contents.sources import find_stream_of
from jobengine.errors import ConflictError, DocumentError, Fault, NotFoundError
from jobengine.messaging.engine_messages import ChangeJob, ChangeTransition, ReadProgress, SubmitJob
from jobengine.model.check import check_transitions
from jobengine.model.condition_counts import what_is_left
from jobengine.model.document import DocumentModel, JobDocument, TransitionDocument, read
from jobengine.model.lifecycle import JobState, TransitionStatus
from jobengine.model.query import parse_filter
from jobengine.model.record import JobRecord, TransitionRecord
from jobengine.model.replay.query import JobQuery, StopCondition
from jobengine.model.replay.translation import (
    DIALECT,
    faults_in_query,
    job_document,
    reading_of,
    replay_condition,
    replay_pointer,
    stop_transition,
)
from jobengine.rest.api import Call, json_response
from jobengine.rest.auth import Actor
from jobengine.rest.body import MERGE_PATCH, read_body
from jobengine.rest.drafts import draft, new_drafts, surroundings
from jobengine.rest.job_address import is_job_id
from jobengine.rest.job_view import disclosed
from jobengine.rest.parameters import NoQuery
from jobengine.rest.priors import in_force, prior_of
from jobengine.rest.replay.shapes import JobsQuery
from jobengine.rest.services import HttpServices

Json = Any
LISTED = 1000
"""Jobs in one list at most, the newest."""

_ENDED_WELL = frozenset({JobState.FINISHED})


class JobRoutes:
    """The dialect's jobs."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services
        self._limit = services.settings.http.max_document_bytes
        self._catalogue = Catalogue(services.contents, services.clock)

    def create(self, call: Call[NoQuery]) -> Response:
        """Make a job: it begins as soon as its anchor is there. The job is one of `/api/jobs` too."""
        posted, _ = read_body(self._limit)
        query = _read(JobQuery, posted)
        stored = query.configuration.stored_stream_id
        content, stream = find_stream_of(self._services.contents, self._catalogue, stored)
        try:
            document = read(JobDocument, job_document(query, content, stream, posted))
            drafts = new_drafts(document.transitions, surroundings(self._services))
        except DocumentError as error:
            raise DocumentError(faults_in_query(error.faults)) from None
        accepted = self._services.engine.ask(
            SubmitJob,
            actor=call.actor.name,
            name=document.name,
            client_data=document.client_data,
            restart_policy=document.restart_policy,
            drafts=drafts,
        )
        return json_response({"new_job": accepted.job_id})

    def running(self, call: Call[JobsQuery]) -> Response:
        """Jobs that have not ended, newest first; with `job` that one, if it has not ended."""
        if call.query.job is None:
            return self._live(self._find("isActive == true"), call.actor)
        return self._live([self._one(call.query.job)], call.actor)

    def get(self, call: Call[NoQuery]) -> Response:
        """One job, if it has not ended."""
        return self._live([self._one(call.path["jobId"])], call.actor)

    def stopped(self, call: Call[NoQuery]) -> Response:
        """Jobs that have ended, newest first, with null or why they failed."""
        rows = [[job.job_id, _configuration(job), _failure(job)] for job in self._find("isActive == false")]
        return json_response(disclosed({"stopped_jobs": rows}, call.actor))

    def cancel(self, call: Call[NoQuery]) -> Response:
        """Cancel a job. It is listed as stopped then."""
        job = self._active(call.path["jobId"])
        document = read(
            TransitionDocument, {"trigger": {"type": "Immediate", "requestedProcState": "Cancel"}}
        )
        cancelling = draft(document, surroundings(self._services))
        self._services.engine.ask(ChangeJob, actor=call.actor.name, job_id=job.job_id, drafts=(cancelling,))
        return json_response("ok")

    def replace_condition(self, call: Call[NoQuery]) -> Response:
        """Replace the stop condition. It counts from now on; the old one stays in the job's history."""
        job = self._active(call.path["jobId"])
        value, _ = read_body(self._limit, MERGE_PATCH)
        condition = _read(StopCondition, value).root
        said = condition if isinstance(condition, str) else condition.document()
        whole = self._services.whole_jobs.get(job.job_id)
        pending = _stop_of(whole.transitions)
        document = read(TransitionDocument, {**stop_transition(said), "info": {"stopCondition": said}})
        listed = in_force(whole.transitions)
        place = [t.transition_id for t in listed].index(pending.transition_id)
        around = surroundings(self._services)
        faults = check_transitions([document], prior_of(whole.job, listed[:place]), around, "")
        if faults:
            raise DocumentError(faults)
        self._services.engine.ask(
            ChangeTransition,
            actor=call.actor.name,
            job_id=job.job_id,
            transition_id=pending.transition_id,
            draft=draft(document, around),
            counts_from_now=True,
        )
        return json_response("ok")

    def _live(self, jobs: list[JobRecord], actor: Actor) -> Response:
        active = [job for job in jobs if job.is_active]
        rows = self._services.whole_jobs.transitions_of([job.job_id for job in active]) if active else {}
        progress = self._all_progress(active, actor)
        listed = [
            [
                job.job_id,
                _configuration(job),
                _what_is_left(rows[job.job_id], progress.get(job.job_id) or {}),
            ]
            for job in active
        ]
        queued = {job_id: found["queue"] for job_id, found in progress.items() if "queue" in found}
        return json_response(disclosed({"jobs": listed, **({"queued": queued} if queued else {})}, actor))

    def _find(self, which: str) -> list[JobRecord]:
        where = parse_filter(f'{which} AND clientData.dialect == "{DIALECT}"')
        return self._services.reader.list_jobs(where, limit=LISTED).jobs

    def _one(self, job_id: str) -> JobRecord:
        if is_job_id(job_id):
            job = self._services.reader.get_job(job_id.lower())
            if isinstance(job.client_data, dict) and job.client_data.get("dialect") == DIALECT:
                return job
        raise NotFoundError(f"there is no job {job_id}")

    def _active(self, job_id: str) -> JobRecord:
        job = self._one(job_id)
        if not job.is_active:
            raise ConflictError(f"job {job.job_id} has ended: it is {job.current_state}")
        return job

    def _all_progress(self, jobs: list[JobRecord], actor: Actor) -> Mapping[str, Json]:
        if not jobs:
            return {}
        ids = tuple(job.job_id for job in jobs)
        return self._services.engine.ask(ReadProgress, actor=actor.name, job_ids=ids).data


def _read(model: type[DocumentModel], value: Json) -> DocumentModel:
    try:
        return read(model, value)
    except DocumentError as error:
        raise DocumentError([Fault(replay_pointer(f.pointer), f.detail) for f in error.faults]) from None


def _configuration(job: JobRecord) -> dict[str, Json]:
    match job.client_data:
        case {"posted": {"configuration": dict(configuration)}}:
            return configuration
        case _:
            return {}


def _failure(job: JobRecord) -> str | None:
    if job.current_state in _ENDED_WELL:
        return None
    return job.status_message or str(job.current_state).lower()


def _stop_of(transitions: list[TransitionRecord]) -> TransitionRecord:
    """The pending stop condition. Raises ConflictError when it has passed."""
    for transition in transitions:
        if transition.status is TransitionStatus.PENDING and transition.trigger["type"] == "Stream":
            return transition
    raise ConflictError("the stop condition of this job has been reached")


def _what_is_left(transitions: list[TransitionRecord], progress: Mapping[str, Json]) -> Json:
    try:
        condition = _stop_of(transitions).trigger["condition"]
    except ConflictError:
        return "now"
    return replay_condition(what_is_left(condition, reading_of(progress)))
