"""``PUT`` and ``PATCH`` of a job: members of its record, and for ROAD's users transitions at its end."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from jobengine.errors import ConflictError, DocumentError, Fault, RevisionMismatch
from jobengine.messaging.engine_messages import ChangeJob, IdempotencyKey, SendVolatile
from jobengine.model.document import JobPatch, JobUpdate, read
from jobengine.model.merge import merge
from jobengine.rest.api import Call
from jobengine.rest.auth import Actor
from jobengine.rest.body import MERGE_PATCH, read_body
from jobengine.rest.drafts import appended_drafts
from jobengine.rest.job_address import job_id_of
from jobengine.rest.job_answers import JobAnswers
from jobengine.rest.parameters import NoQuery
from jobengine.rest.repetition import REPLAYED, idempotency_key, transitions_made
from jobengine.rest.revision import expected_revision
from jobengine.rest.services import HttpServices

Json = Any
PATCH_TRIES = 100
"""How often a patch of any revision is merged anew because somebody else came first; half a second or so."""


class JobChangeRoutes:
    """Changes of one job."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services
        self._answers = JobAnswers(services)
        self._limit = services.settings.http.max_document_bytes

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
        response = self._answers.one(self._services.whole_jobs.get(job_id), call.actor)
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
        return self._answers.one(self._services.whole_jobs.get(job_id), call.actor)

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


def _changes(update: JobUpdate) -> dict[str, Json]:
    """The members of the record that change; an empty name or alias is "", whichever way it is said."""
    names = update.model_fields_set & {"name", "alias", "client_data", "restart_policy"}
    changes = {name: getattr(update, name) for name in names}
    if changes.get("restart_policy", "never") is None:
        raise DocumentError([Fault("/restartPolicy", "must be never or resume")])
    return {n: "" if value is None and n in ("name", "alias") else value for n, value in changes.items()}
