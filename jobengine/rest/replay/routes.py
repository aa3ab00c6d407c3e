"""The addresses of the dialect, and what it says of the service as a whole."""

from __future__ import annotations

from typing import Any

from flask import Response

from jobengine.messaging.engine_messages import ReadService
from jobengine.model.replay.query import FindQuery, JobQuery, StopCondition
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
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
TAG = "replay"
WRITING = Role.OPERATOR
WORD = {200: Answer("A word", Word)}


class ServiceRoutes:
    """Status and end of the service."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services

    def status(self, call: Call[NoQuery]) -> Response:
        """`"running"`; 503 while the engine can't answer."""
        self._services.probe.ask(ReadService, actor=call.actor.name)
        return json_response("running")

    def shut_down(self, call: Call[NoQuery]) -> Response:
        """End the service. Its jobs go on in their workers, until a service is there again."""
        self._services.shut_down()
        return json_response("ok")


def install(api: Api, services: HttpServices) -> None:
    """Add the routes."""
    api.add(
        *_about_the_service(ServiceRoutes(services)),
        *_about_keyframes(KeyframeRoutes(services)),
        *_about_jobs(JobRoutes(services)),
    )


def _about_the_service(r: ServiceRoutes) -> tuple[Route[Any], ...]:
    return (
        Route("GET", f"{BASE}/status", r.status, "replayStatus", TAG, WORD),
        Route("POST", f"{BASE}/shutdown", r.shut_down, "replayShutdown", TAG, WORD, role=WRITING),
    )


def _about_keyframes(r: KeyframeRoutes) -> tuple[Route[Any], ...]:
    find, one = f"{BASE}/keyframes/find", f"{BASE}/keyframe/<uuid>"
    found = {200: Answer("The keyframes", KeyframesShape)}
    frame = {200: Answer("Metadata and payload", media_type="multipart/mixed")}
    return (
        Route("POST", find, r.find, "replayFind", TAG, found, body=FindQuery),
        Route("GET", one, r.fetch, "replayKeyframe", TAG, frame, KeyframeQuery, problems=(501,)),
    )


def _about_jobs(r: JobRoutes) -> tuple[Route[Any], ...]:
    change, condition = r.replace_condition, f"{ONE}/stop-condition"
    running = {200: Answer("Jobs", JobsShape)}
    stopped = {200: Answer("Jobs", StoppedShape)}
    made = {200: Answer("The id of the job", NewJobShape)}
    wanted, clash = StopCondition, (409,)
    return (
        Route("PUT", JOB, r.create, "replayPutJob", TAG, made, body=JobQuery, role=WRITING),
        Route("GET", JOB, r.running, "replayListJobs", TAG, running, JobsQuery, problems=(404,)),
        Route("GET", f"{JOB}/stopped", r.stopped, "replayListStopped", TAG, stopped),
        Route("GET", ONE, r.get, "replayGetJob", TAG, running),
        Route("DELETE", ONE, r.cancel, "replayDeleteJob", TAG, WORD, role=WRITING, problems=clash),
        Route(
            "PATCH", condition, change, "replayPatchStop", TAG, WORD, NoQuery, wanted, WRITING, problems=clash
        ),
    )
