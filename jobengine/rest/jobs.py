"""``/api/jobs``: submit, check, list, read; changing and deleting have files of their own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from jobengine.errors import DocumentError, Fault, NotFoundError
from jobengine.history.whole_jobs import WholeJob
from jobengine.messaging.engine_messages import Draft, SubmitJob
from jobengine.model.check import kind_of
from jobengine.model.document import JobDocument, JobPatch, JobUpdate
from jobengine.model.query import fields_of, parse_filter, parse_sort
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Actor, Role
from jobengine.rest.body import read_body
from jobengine.rest.drafts import new_drafts, read_job, surroundings
from jobengine.rest.job_address import JOB, JOBS, job_id_of
from jobengine.rest.job_answers import JobAnswers
from jobengine.rest.job_changes import JobChangeRoutes
from jobengine.rest.job_deletion import JobDeletionRoutes
from jobengine.rest.job_view import Fields, check_fields
from jobengine.rest.parameters import (
    DeleteManyQuery,
    DeleteQuery,
    FieldsQuery,
    ListQuery,
    NoQuery,
    SubmitQuery,
)
from jobengine.rest.planned import planned_timeline
from jobengine.rest.repetition import REPLAYED, idempotency_key, job_made
from jobengine.rest.revision import is_known, not_modified
from jobengine.rest.services import HttpServices
from jobengine.rest.shapes import CountShape, JobShape, JobsOrCount, PlanShape

Json = Any


class JobRoutes:
    """The collection and its members."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services
        self._answers = JobAnswers(services)
        self._limit = services.settings.http.max_document_bytes

    def submit(self, call: Call[SubmitQuery]) -> Response:
        """Post a job: it is stored and begins to be carried out.

        With `validate` it is only checked: the answer is the planned timeline.
        """
        value, data = read_body(self._limit)
        key = None if call.query.validate_only else idempotency_key(call.actor, f"POST {JOBS}", data)
        try:
            document, drafts = self._read(value, call.query.host)
        except DocumentError:
            made = job_made(self._services.reader, key)
            if made is None:
                raise
            return self._created(made, call.actor, is_repeat=True)
        if call.query.validate_only:
            entries = planned_timeline(drafts, self._services.clock.now())
            kind = next((kind for d in drafts if (kind := kind_of(d.description))), None)
            return json_response({"valid": True, "kind": kind, "timeline": entries})
        accepted = self._services.engine.ask(
            SubmitJob,
            actor=call.actor.name,
            name=document.name,
            alias=document.alias,
            client_data=document.client_data,
            restart_policy=document.restart_policy,
            drafts=drafts,
            idempotency=key,
        )
        return self._created(accepted.job_id, call.actor, accepted.replayed)

    def _read(self, value: Json, host: str | None) -> tuple[JobDocument, tuple[Draft, ...]]:
        around = surroundings(self._services)
        document = read_job(value, around)
        self._check_host(host)
        return document, new_drafts(document.transitions, around)

    def _created(self, job_id: str, actor: Actor, is_repeat: bool) -> Response:
        response = self._answers.one(self._made(job_id, is_repeat), actor, 201)
        response.headers["Location"] = f"{JOBS}/{job_id}"
        if is_repeat:
            response.headers[REPLAYED] = "true"
        return response

    def _made(self, job_id: str, is_repeat: bool) -> WholeJob:
        try:
            return self._services.whole_jobs.get(job_id)
        except NotFoundError:
            if not is_repeat:
                raise
            said = f"this request made job {job_id} before, which has been deleted since"
            raise NotFoundError(f"{said}; another Idempotency-Key makes another job") from None

    def list_jobs(self, call: Call[ListQuery]) -> Response:
        """List jobs, or with `count` tell how many there are."""
        query, reader = call.query, self._services.reader
        where = parse_filter(query.filter) if query.filter else None
        check_fields(fields_of(where) if where else (), call.actor)
        check_fields((key.field for key in parse_sort(query.sort)) if query.sort else (), call.actor)
        if query.count:
            return json_response({"count": reader.count_jobs(where)})
        page = reader.list_jobs(
            where, sort=query.sort, limit=query.limit, skip=query.skip, cursor=query.cursor
        )
        response = self._answers.many(page.jobs, call.actor, Fields(query.fields))
        if page.next_cursor is not None:
            parameters = {name: text for name, text in request.args.items() if name not in ("skip", "cursor")}
            following = urlencode({**parameters, "cursor": page.next_cursor})
            response.headers["Link"] = f'<{JOBS}?{following}>; rel="next"'
        return response

    def get(self, call: Call[FieldsQuery]) -> Response:
        """Read a job. `logInfos` come only when `fields` names them."""
        whole = self._services.whole_jobs.get(job_id_of(call))
        if is_known(whole.job.revision):
            return not_modified(whole.job.revision)
        return self._answers.one(whole, call.actor, fields=Fields(call.query.fields))

    def _check_host(self, host: str | None) -> None:
        ours = self._services.settings.engine.processing_host
        if host is not None and host.lower() != ours.lower():
            text = (
                f"this host is {ours!r}, and jobs run on the host they are posted to; host asks for {host!r}"
            )
            raise DocumentError([Fault("", text)])


def install(api: Api, services: HttpServices) -> None:
    """Add the routes."""
    r, changes, deletion = JobRoutes(services), JobChangeRoutes(services), JobDeletionRoutes(services)
    tag, writing = "jobs", Role.OPERATOR
    job = Answer("The job", JobShape, headers=("ETag",))
    jobs = Answer("Jobs, newest first unless sorted", JobsOrCount, headers=("Link",))
    same = Answer("Not changed", media_type="")
    stored = Answer("The stored job", JobShape, headers=("ETag", "Location"))
    submitted = {201: stored, 200: Answer("The planned timeline", PlanShape)}
    count = {202: Answer("How many were deleted", CountShape)}
    changing, patching = (409, 412), (409, 412, 428)
    api.add(
        Route("POST", JOBS, r.submit, "submitJob", tag, submitted, SubmitQuery, JobDocument, writing),
        Route("GET", JOBS, r.list_jobs, "listJobs", tag, {200: jobs}, ListQuery),
        Route(
            "DELETE", JOBS, deletion.many, "deleteJobs", tag, count, DeleteManyQuery, None, writing, (409,)
        ),
        Route("GET", JOB, r.get, "getJob", tag, {200: job, 304: same}, FieldsQuery),
        Route("PUT", JOB, changes.put, "updateJob", tag, {200: job}, NoQuery, JobUpdate, writing, changing),
        Route("PATCH", JOB, changes.patch, "patchJob", tag, {200: job}, NoQuery, JobPatch, writing, patching),
        Route("DELETE", JOB, deletion.one, "deleteJob", tag, count, DeleteQuery, None, writing, changing),
    )
