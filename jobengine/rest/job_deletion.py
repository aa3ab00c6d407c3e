"""``DELETE`` of a job, or of all that a filter finds."""

from __future__ import annotations

from flask import Response

from jobengine.errors import ConflictError, NotFoundError
from jobengine.messaging.engine_messages import DeleteJob
from jobengine.model.query import parse_filter
from jobengine.model.record import JobRecord
from jobengine.rest.api import Call, json_response
from jobengine.rest.auth import Actor
from jobengine.rest.job_address import job_id_of
from jobengine.rest.parameters import DeleteManyQuery, DeleteQuery
from jobengine.rest.revision import expected_revision
from jobengine.rest.services import HttpServices


class JobDeletionRoutes:
    """Hides jobs. One that somebody else deletes meanwhile is no error among many."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services

    def one(self, call: Call[DeleteQuery]) -> Response:
        """Delete a job: it is hidden, its history is kept. An active one only with `force`."""
        job = self._services.reader.get_job(job_id_of(call))
        revision = expected_revision(job.revision)
        self._delete(job, call.actor, call.query.force, revision)
        return json_response({"count": 1}, 202)

    def many(self, call: Call[DeleteManyQuery]) -> Response:
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
