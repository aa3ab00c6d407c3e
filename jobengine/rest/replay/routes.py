"""The addresses of the dialect, and what it says of the service as a whole."""

from __future__ import annotations

from flask import Response

from jobengine.messaging.engine_messages import ReadProgress
from jobengine.model.replay.query import FindQuery, JobQuery, StopCondition
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.health import NO_JOB
from jobengine.rest.parameters import NoQuery
from jobengine.rest.replay.jobs import JobRoutes
from jobengine.rest.replay.keyframes import KeyframeRoutes
from jobengine.rest.replay.shapes import (
    JobsQuery,
    JobsShape,
    KeyframeQuery,
    KeyframesShape,
    NewJobShape,
    StoppedShape,
    Word,
)
from jobengine.rest.services import HttpServices

BASE = "/api/v1"
JOB = f"{BASE}/job"
ONE = f"{JOB}/<jobId>"


class ServiceRoutes:
    """Status and end of the service."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services

    def status(self, call: Call[NoQuery]) -> Response:
        """`"running"`; 503 while the engine can't answer."""
        self._services.probe.ask(ReadProgress, actor=call.actor.name, job_ids=(NO_JOB,))
        return json_response("running")

    def shut_down(self, call: Call[NoQuery]) -> Response:
        """End the service. Its jobs go on in their workers, until a service is there again."""
        self._services.shut_down()
        return json_response("ok")


def install(api: Api, services: HttpServices) -> None:
    """Add the routes."""
    service, jobs, keyframes = ServiceRoutes(services), JobRoutes(services), KeyframeRoutes(services)
    tag, writing = "replay", Role.OPERATOR
    word = {200: Answer("A word", Word)}
    running = {200: Answer("Jobs", JobsShape)}
    stopped = {200: Answer("Jobs", StoppedShape)}
    made = {200: Answer("The id of the job", NewJobShape)}
    found = {200: Answer("The keyframes", KeyframesShape)}
    frame = {200: Answer("Metadata and payload", media_type="multipart/mixed")}
    api.add(
        Route("GET", f"{BASE}/status", service.status, "replayStatus", tag, word),
        Route("POST", f"{BASE}/shutdown", service.shut_down, "replayShutdown", tag, word, role=writing),
        Route("POST", f"{BASE}/keyframes/find", keyframes.find, "replayFind", tag, found, body=FindQuery),
        Route(
            "GET",
            f"{BASE}/keyframe/<uuid>",
            keyframes.fetch,
            "replayKeyframe",
            tag,
            frame,
            KeyframeQuery,
            problems=(501,),
        ),
        Route("PUT", JOB, jobs.create, "replayPutJob", tag, made, body=JobQuery, role=writing),
        Route("GET", JOB, jobs.running, "replayListJobs", tag, running, JobsQuery, problems=(404,)),
        Route("GET", f"{JOB}/stopped", jobs.stopped, "replayListStopped", tag, stopped),
        Route("GET", ONE, jobs.get, "replayGetJob", tag, running),
        Route("DELETE", ONE, jobs.cancel, "replayDeleteJob", tag, word, role=writing, problems=(409,)),
        Route(
            "PATCH",
            f"{ONE}/stop-condition",
            jobs.replace_condition,
            "replayPatchStop",
            tag,
            word,
            body=StopCondition,
            role=writing,
            problems=(409,),
        ),
    )
