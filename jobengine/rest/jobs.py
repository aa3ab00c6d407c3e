"""``/api/jobs``: submit, check, list, read, change, delete."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from jobengine.errors import (
    ConflictError,
    DocumentError,
    Fault,
    MalformedError,
    NotFoundError,
    RevisionMismatch,
)
from jobengine.history.whole_jobs import WholeJob
from jobengine.messaging.engine_messages import (
    Accepted,
    ChangeJob,
    DeleteJob,
    IdempotencyKey,
    SendVolatile,
    SubmitJob,
)
from jobengine.model.check import kind_of
from jobengine.model.document import JobDocument, JobPatch, JobUpdate, read
from jobengine.model.merge import merge
from jobengine.model.query import fields_of, parse_filter, parse_sort
from jobengine.model.record import JobRecord
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Actor, Role
from jobengine.rest.body import MERGE_PATCH, read_body
from jobengine.rest.drafts import appended_drafts, new_drafts, read_job, surroundings
from jobengine.rest.job_view import Fields, check_fields, disclosed, job_view
from jobengine.rest.parameters import (
    DeleteManyQuery,
    DeleteQuery,
    FieldsQuery,
    ListQuery,
    NoQuery,
    SubmitQuery,
)
from jobengine.rest.planned import planned_timeline
from jobengine.rest.repetition import REPLAYED, transitions_made
from jobengine.rest.revision import etag, expected_revision, is_known, not_modified
from jobengine.rest.services import HttpServices
from jobengine.rest.shapes import CountShape, JobShape, JobsOrCount, PlanShape

Json = Any
JOBS = "/api/jobs"
JOB = f"{JOBS}/<jobId>"
PATCH_TRIES = 100
"""How often a patch of any revision is merged anew because somebody else came first; half a second or so."""
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class JobRoutes:
    """The collection and its members."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services
        self._limit = services.settings.http.max_document_bytes

    def submit(self, call: Call[SubmitQuery]) -> Response:
        """Post a job: it is stored and begins to be carried out.

        With `validate` it is only checked: the answer is the planned timeline.
        """
        value, data = read_body(self._limit)
        around = surroundings(self._services)
        document = read_job(value, around)
        self._check_host(call.query.host)
        drafts = new_drafts(document.transitions, around)
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
            idempotency=idempotency_key(call.actor, f"POST {JOBS}", data),
        )
        response = self._answer(self._made(accepted), call.actor, 201)
        response.headers["Location"] = f"{JOBS}/{accepted.job_id}"
        if accepted.replayed:
            response.headers[REPLAYED] = "true"
        return response

    def _made(self, accepted: Accepted) -> WholeJob:
        try:
            return self._services.whole_jobs.get(accepted.job_id)
        except NotFoundError:
            if not accepted.replayed:
                raise
            said = f"this request made job {accepted.job_id} before, which has been deleted since"
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
        response = json_response(disclosed(self._views(page.jobs, Fields(query.fields)), call.actor))
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
        return self._answer(whole, call.actor, fields=Fields(call.query.fields))

    def put(self, call: Call[NoQuery]) -> Response:
        """Change given members and append given transitions, as ROAD's PUT does.

        Volatile transitions go to the running worker only; they can't be mixed with stored ones.
        """
        job_id = job_id_of(call)
        value, data = read_body(self._limit)
        key = idempotency_key(call.actor, f"PUT {request.path}", data)
        try:
            is_repeat = self._update(job_id, read(JobUpdate, value), call.actor, key)
        except (DocumentError, RevisionMismatch):
            if transitions_made(self._services.reader, key) is None:
                raise
            is_repeat = True
        response = self._answer(self._services.whole_jobs.get(job_id), call.actor)
        if is_repeat:
            response.headers[REPLAYED] = "true"
        return response

    def _update(self, job_id: str, update: JobUpdate, actor: Actor, key: IdempotencyKey | None) -> bool:
        """Whether the same was done before."""
        job, prior = self._services.priors.read(job_id)
        revision = expected_revision(job.revision)
        changes = _changes(update)
        drafts = appended_drafts(self._services, prior, update.transitions, "/transitions")
        stored = () if any(t.volatile for t in update.transitions) else drafts
        if drafts and not stored:
            self._services.engine.ask(SendVolatile, actor=actor.name, job_id=job_id, drafts=drafts)
        if not changes and not stored:
            return False
        return self._services.engine.ask(
            ChangeJob,
            actor=actor.name,
            job_id=job_id,
            drafts=stored,
            changes=changes,
            revision=revision,
            idempotency=key,
        ).replayed

    def patch(self, call: Call[NoQuery]) -> Response:
        """Merge patch (RFC 7396) of name, alias and clientData."""
        job_id = job_id_of(call)
        value, _ = read_body(self._limit, MERGE_PATCH)
        patch = read(JobPatch, value)
        if not any(self._is_patched(job_id, patch, call.actor) for _ in range(PATCH_TRIES)):
            raise ConflictError(f"others have changed the job {PATCH_TRIES} times meanwhile; try again")
        return self._answer(self._services.whole_jobs.get(job_id), call.actor)

    def _is_patched(self, job_id: str, patch: JobPatch, actor: Actor) -> bool:
        """False if the job was changed since it was read, whatever its revision, as the client says."""
        job = self._services.reader.get_job(job_id)
        revision = expected_revision(job.revision, is_required=True)
        changes: dict[str, Json] = {}
        for name in patch.model_fields_set & {"name", "alias"}:
            changes[name] = getattr(patch, name) or ""
        if "client_data" in patch.model_fields_set:
            changes["client_data"] = merge(job.client_data, patch.client_data)
        if not changes:
            return True
        based_on = job.revision if "client_data" in changes else revision
        try:
            self._services.engine.ask(
                ChangeJob, actor=actor.name, job_id=job_id, changes=changes, revision=based_on
            )
        except RevisionMismatch:
            if revision is not None:
                raise
            return False
        return True

    def delete(self, call: Call[DeleteQuery]) -> Response:
        """Delete a job: it is hidden, its history is kept. An active one only with `force`."""
        job = self._services.reader.get_job(job_id_of(call))
        revision = expected_revision(job.revision)
        self._delete(job, call.actor, call.query.force, revision)
        return json_response({"count": 1}, 202)

    def delete_many(self, call: Call[DeleteManyQuery]) -> Response:
        """Delete the jobs that a filter finds. If one is active and `force` is not set, none is deleted."""
        where = parse_filter(call.query.filter)
        found = self._services.reader.list_jobs(where, limit=call.query.limit).jobs
        active = sum(job.is_active for job in found)
        if active and not call.query.force:
            raise ConflictError(
                f"{active} of the {len(found)} jobs are active, so none was deleted; "
                "add force to cancel them first, or 'AND isActive == false' to the filter"
            )
        count = 0
        for job in found:
            try:
                self._delete(job, call.actor, call.query.force, None)
            except NotFoundError:
                continue  # somebody else has deleted it meanwhile
            count += 1
        return json_response({"count": count}, 202)

    def _delete(self, job: JobRecord, actor: Actor, force: bool, revision: int | None) -> None:
        if job.is_active and not force:
            raise ConflictError(f"the job is {job.current_state}; add force to cancel it first")
        self._services.engine.ask(
            DeleteJob, actor=actor.name, job_id=job.job_id, force=force, revision=revision
        )

    def _answer(
        self, whole: WholeJob, actor: Actor, status: int = 200, fields: Fields | None = None
    ) -> Response:
        fields = fields or Fields(None)
        infos = self._log_infos(whole.job.job_id)
        view = job_view(whole.job, whole.transitions if fields.wants("transitions") else None, len(infos))
        if fields.names("logInfos"):
            view["logInfos"] = infos
        return json_response(disclosed(fields.prune(view), actor), status, ETag=etag(whole.job.revision))

    def _views(self, jobs: list[JobRecord], fields: Fields) -> list[Json]:
        ids = [job.job_id for job in jobs]
        rows = self._services.whole_jobs.transitions_of(ids) if fields.wants("transitions") and ids else None
        views = []
        for job in jobs:
            wants_logs = fields.wants("logInfoCount") or fields.names("logInfos")
            infos = self._log_infos(job.job_id) if wants_logs else []
            view = job_view(job, rows[job.job_id] if rows else None, len(infos))
            if fields.names("logInfos"):
                view["logInfos"] = infos
            views.append(fields.prune(view))
        return views

    def _log_infos(self, job_id: str) -> list[dict[str, Json]]:
        path = self._services.worker_log(job_id)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return []
        return [{"path": str(path), "sizeBytes": size, "href": f"{JOBS}/{job_id}/log"}]

    def _check_host(self, host: str | None) -> None:
        ours = self._services.settings.engine.processing_host
        if host is not None and host.lower() != ours.lower():
            text = (
                f"this host is {ours!r}, and jobs run on the host they are posted to; host asks for {host!r}"
            )
            raise DocumentError([Fault("", text)])


def _changes(update: JobUpdate) -> dict[str, Json]:
    """The members of the record that change; an empty name or alias is "", whichever way it is said."""
    names = update.model_fields_set & {"name", "alias", "client_data", "restart_policy"}
    changes = {name: getattr(update, name) for name in names}
    if changes.get("restart_policy", "never") is None:
        raise DocumentError([Fault("/restartPolicy", "must be never or resume")])
    return {n: "" if value is None and n in ("name", "alias") else value for n, value in changes.items()}


def job_id_of(call: Call[Any]) -> str:
    """The job that the address names. Raises NotFoundError for what can't be an id."""
    job_id = call.path["jobId"]
    if not is_job_id(job_id):
        raise NotFoundError(f"there is no job {job_id}")
    return job_id.lower()


def is_job_id(text: str) -> bool:
    """Whether a text can be the id of a job."""
    return _ID.fullmatch(text) is not None


def idempotency_key(actor: Actor, scope: str, body: bytes) -> IdempotencyKey | None:
    """The client's ``Idempotency-Key`` with what it is for. Raises MalformedError if it is not sane."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    key = key.strip().strip('"')
    if not key or len(key) > 255 or not key.isprintable():
        raise MalformedError("Idempotency-Key must have 1 to 255 printable characters")
    return IdempotencyKey(key, f"{actor.name} {scope}", sha256(body).hexdigest())


def install(api: Api, services: HttpServices) -> None:
    """Add the routes."""
    r = JobRoutes(services)
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
            "DELETE", JOBS, r.delete_many, "deleteJobs", tag, count, DeleteManyQuery, None, writing, (409,)
        ),
        Route("GET", JOB, r.get, "getJob", tag, {200: job, 304: same}, FieldsQuery),
        Route("PUT", JOB, r.put, "updateJob", tag, {200: job}, NoQuery, JobUpdate, writing, changing),
        Route("PATCH", JOB, r.patch, "patchJob", tag, {200: job}, NoQuery, JobPatch, writing, patching),
        Route("DELETE", JOB, r.delete, "deleteJob", tag, count, DeleteQuery, None, writing, changing),
    )
