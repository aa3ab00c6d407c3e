"""What an http process does before its first request: it checks a job, and looks for one that is not there.

Otherwise the first who posts a job waits for statements to be put together, models to be used for the first
time, and pages that the process shares with its template to be copied: twice as long as the second.
"""

from __future__ import annotations

from contextlib import suppress

import structlog
from flask import Flask

from jobengine.errors import JobEngineError, NotFoundError
from jobengine.rest.api import Call
from jobengine.rest.auth import LOCAL
from jobengine.rest.job_address import JOBS
from jobengine.rest.jobs import JobRoutes
from jobengine.rest.parameters import SubmitQuery
from jobengine.rest.services import HttpServices

_NO_JOB = "00000000-0000-0000-0000-000000000000"
_START = {"type": "Immediate", "requestedProcState": "Start"}
_SPECIFICATION = {
    "source": {"content": "rehearsal"},
    "resultingStream": "rehearsal",
    "sink": {"url": "dealer+connect:tcp://127.0.0.1:9"},
    "anchor": "first",
}


def rehearse(app: Flask, services: HttpServices) -> None:
    """Do so; nothing is stored, and no metric counts it. Blocks for some 20 ms. A process that could not is
    as good, only slower to begin, and says so in the log."""
    started = {"trigger": _START, "jobDescription": {"restreamSpec": _SPECIFICATION}}
    call = Call({}, SubmitQuery.model_validate({"validate": "true"}), LOCAL)
    try:
        services.keys.list()
        with suppress(NotFoundError):
            services.whole_jobs.get(_NO_JOB)
        with app.test_request_context(JOBS, method="POST", json={"transitions": [started]}):
            JobRoutes(services).submit(call)
    except JobEngineError as error:
        structlog.get_logger("http").warning("http.not_rehearsed", detail=error.detail)
