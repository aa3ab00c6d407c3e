"""Answering with a job, or with a list of them, as ``fields`` and the client's role allow."""

from __future__ import annotations

from typing import Any

from flask import Response

from jobengine.history.whole_jobs import WholeJob
from jobengine.model.record import JobRecord, TransitionRecord
from jobengine.rest.api import json_response
from jobengine.rest.auth import Actor
from jobengine.rest.job_address import JOBS
from jobengine.rest.job_view import Fields, disclosed, job_view
from jobengine.rest.revision import etag
from jobengine.rest.services import HttpServices

Json = Any
ALL = Fields(None)


class JobAnswers:
    """Jobs as clients get them."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services

    def one(self, whole: WholeJob, actor: Actor, status: int = 200, fields: Fields = ALL) -> Response:
        """A job with its ``ETag``."""
        rows = whole.transitions if fields.wants("transitions") else None
        infos = self._log_infos(whole.job.job_id)
        view = _view(whole.job, rows, infos, fields)
        return json_response(disclosed(view, actor), status, ETag=etag(whole.job.revision))

    def many(self, jobs: list[JobRecord], actor: Actor, fields: Fields) -> Response:
        """A list. Logs are looked for only where their number is wanted."""
        ids = [job.job_id for job in jobs] if fields.wants("transitions") else []
        rows = self._services.whole_jobs.transitions_of(ids) if ids else {}
        wants_logs = fields.wants("logInfoCount") or fields.names("logInfos")
        views = [
            _view(job, rows.get(job.job_id), self._log_infos(job.job_id) if wants_logs else [], fields)
            for job in jobs
        ]
        return json_response(disclosed(views, actor))

    def _log_infos(self, job_id: str) -> list[dict[str, Json]]:
        path = self._services.worker_log(job_id)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return []
        return [{"path": str(path), "sizeBytes": size, "href": f"{JOBS}/{job_id}/log"}]


def _view(
    job: JobRecord, rows: list[TransitionRecord] | None, infos: list[dict[str, Json]], fields: Fields
) -> Json:
    view = job_view(job, rows, len(infos))
    if fields.names("logInfos"):
        view["logInfos"] = infos
    return fields.prune(view)
