"""What belongs to a job beside its list: history, description, log, outputs, timeline, progress."""

from __future__ import annotations

from typing import Any

from flask import Response

from jobengine.clock import to_text
from jobengine.errors import UnavailableError
from jobengine.messaging.engine_messages import ReadProgress
from jobengine.model.kind import MERGE_KEYS
from jobengine.model.lifecycle import RequestedState, TransitionStatus
from jobengine.model.merge import fold
from jobengine.model.record import JobRecord, TransitionRecord
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Actor
from jobengine.rest.job_address import JOB, job_id_of
from jobengine.rest.job_view import disclosed, output_view, transition_view
from jobengine.rest.parameters import DescriptionQuery, LogQuery, NoQuery
from jobengine.rest.planned import planned_future
from jobengine.rest.revision import etag
from jobengine.rest.services import HttpServices
from jobengine.rest.shapes import Object, OutputList, TimelineShape, TransitionList
from jobengine.rest.transitions import find

Json = Any
LOG_CHUNK_BYTES = 1024 * 1024


class JobPartRoutes:
    """Read-only views of one job."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services

    def history(self, call: Call[NoQuery]) -> Response:
        """What has passed, in order, with its hash chain."""
        views = [transition_view(t) for t in self._services.reader.history(job_id_of(call))]
        return json_response(disclosed(views, call.actor))

    def description(self, call: Call[DescriptionQuery]) -> Response:
        """The effective description: now, or as of the transition `at`."""
        whole = self._services.whole_jobs.get(job_id_of(call))
        rows = [t for t in whole.transitions if t.status is TransitionStatus.PASSED]
        if call.query.at is not None:
            rows = _up_to(whole.transitions, find(whole, call.query.at))
        effective = fold((row.description for row in rows), MERGE_KEYS)
        return json_response(disclosed(effective, call.actor), ETag=etag(whole.job.revision))

    def log(self, call: Call[LogQuery]) -> Response:
        """The log of the job's workers, at most 1 MiB at once.

        The header `Log-Next` is where to read on; a negative `from` counts from the end.
        """
        job_id = job_id_of(call)
        self._services.reader.get_job(job_id)
        data, start = b"", 0
        path = self._services.worker_log(job_id)
        if path.exists():
            with path.open("rb") as file:
                size = file.seek(0, 2)
                wanted = call.query.from_byte
                start = file.seek(min(wanted, size) if wanted >= 0 else max(0, size + wanted))
                data = file.read(LOG_CHUNK_BYTES)
        headers = {"Log-From": str(start), "Log-Next": str(start + len(data))}
        return Response(data, mimetype="text/plain", headers=headers)

    def outputs(self, call: Call[NoQuery]) -> Response:
        """Files and targets really written, in order."""
        return json_response([output_view(o) for o in self._services.reader.outputs(job_id_of(call))])

    def timeline(self, call: Call[NoQuery]) -> Response:
        """For display: the states as bands of time, outputs, what is planned, and why the job waits."""
        whole = self._services.whole_jobs.get(job_id_of(call))
        now = self._services.clock.now()
        planned = planned_future(whole.job, whole.transitions, now)
        view = {
            "now": to_text(now),
            "bands": _bands(whole.job, whole.transitions),
            "planned": planned,
            "waitingFor": self._admission(whole.job, call.actor) or _waiting_for(planned),
        }
        return json_response(disclosed(view, call.actor))

    def progress(self, call: Call[NoQuery]) -> Response:
        """Live counters of the job's worker; only `jobId`, `currentState` and `live` while it has none.

        A job that waits for room or for another job has `queue`: what it waits for, and its place.
        """
        job = self._services.reader.get_job(job_id_of(call))
        view: dict[str, Json] = {"jobId": job.job_id, "currentState": str(job.current_state), "live": False}
        if job.is_active:
            found = self._progress(job, call.actor)
            view |= {"live": bool(found) and "queue" not in found, **found}
        return json_response(view)

    def _progress(self, job: JobRecord, actor: Actor) -> dict[str, Json]:
        accepted = self._services.engine.ask(ReadProgress, actor=actor.name, job_ids=(job.job_id,))
        found: dict[str, Json] = accepted.data.get(job.job_id) or {}
        return found

    def _admission(self, job: JobRecord, actor: Actor) -> str | None:
        """What a job waits for that is not in its list; without the engine, what it said last."""
        if not job.is_active or job.worker_process_id or not job.status_message:
            return None
        try:
            queue = self._progress(job, actor).get("queue")
        except UnavailableError:
            return job.status_message
        if queue is None:
            return None
        return f"{queue['waitsFor']}; place {queue['place']} of {queue['waiting']} in the queue"


def _up_to(rows: list[TransitionRecord], last: TransitionRecord) -> list[TransitionRecord]:
    """The rows that make the description at ``last``: what passed or is planned before it."""
    effective = (TransitionStatus.PASSED, TransitionStatus.PENDING)
    before = rows[: rows.index(last)]
    return [row for row in before if row.status in effective] + [last]


def _bands(job: JobRecord, rows: list[TransitionRecord]) -> list[dict[str, Json]]:
    """One band per stretch in one state; the last one is open while the job is active."""
    bands = [_band("Pending", job.created_time, "created", None)]
    for row in rows:
        if row.status is not TransitionStatus.PASSED or row.current_proc_state is None:
            continue
        if row.current_proc_state != bands[-1]["state"]:
            bands[-1]["to"] = row.time_stamp
            why = f"{row.trigger_type}: {row.requested_proc_state}"
            bands.append(_band(row.current_proc_state, row.time_stamp or "", why, row.transition_id))
    if not job.is_active:
        bands[-1]["to"] = bands[-1]["from"]
    return bands


def _band(state: str, start: str, why: str, transition_id: str | None) -> dict[str, Json]:
    return {
        "lane": "state",
        "state": state,
        "from": start,
        "to": None,
        "why": why,
        "transitionId": transition_id,
    }


def _waiting_for(planned: list[dict[str, Json]]) -> str | None:
    """A sentence on what will happen next; None if nothing is planned."""
    if not planned:
        return None
    first = planned[0]
    trigger, when = first["trigger"], first["when"]
    asked = trigger["requestedProcState"]
    wanted = "A change" if asked == RequestedState.NONE else asked
    if when is None:
        return f"{wanted}: {first['reason']}"
    return f"{wanted} by its {trigger['type']} trigger, expected at {when}"


def install(api: Api, services: HttpServices) -> None:
    """Add the routes."""
    r = JobPartRoutes(services)
    tag = "jobs"
    history = {200: Answer("Passed and skipped transitions in order", TransitionList)}
    outputs = {200: Answer("What was written", OutputList)}
    timeline = {200: Answer("Bands and plan", TimelineShape)}
    description = {200: Answer("The effective description", Object, headers=("ETag",))}
    piece = Answer("A piece of the log", media_type="text/plain", headers=("Log-From", "Log-Next"))
    counters = {200: Answer("Counters", Object)}
    api.add(
        Route("GET", f"{JOB}/history", r.history, "getHistory", tag, history),
        Route(
            "GET", f"{JOB}/description", r.description, "getDescription", tag, description, DescriptionQuery
        ),
        Route("GET", f"{JOB}/log", r.log, "getLog", tag, {200: piece}, LogQuery),
        Route("GET", f"{JOB}/outputs", r.outputs, "getOutputs", tag, outputs),
        Route("GET", f"{JOB}/timeline", r.timeline, "getTimeline", tag, timeline),
        Route("GET", f"{JOB}/progress", r.progress, "getProgress", tag, counters),
    )
