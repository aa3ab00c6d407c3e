"""Where jobs are, and which of them an address names."""

from __future__ import annotations

import re
from typing import Any

from jobengine.errors import NotFoundError
from jobengine.rest.api import Call

JOBS = "/api/jobs"
JOB = f"{JOBS}/<jobId>"
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def job_id_of(call: Call[Any]) -> str:
    """The job that the address names. Raises NotFoundError for what can't be an id."""
    job_id = call.path["jobId"]
    if not is_job_id(job_id):
        raise NotFoundError(f"there is no job {job_id}")
    return job_id.lower()


def is_job_id(text: str) -> bool:
    """Whether a text can be the id of a job."""
    return _ID.fullmatch(text) is not None
