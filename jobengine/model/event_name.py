"""The names of the events that only the engine raises, of jobs and of contents."""

from __future__ import annotations

from typing import Final

_JOB = "job:"
_CONTENT = "content:"
RESERVED: Final = (_JOB, _CONTENT)
"""How these names begin. Nobody else may raise such an event: it would say that a job has ended."""


def job_event(job_id: str, state: str) -> str:
    """The event of a job that has entered ``state``."""
    return f"{_JOB}{job_id}:{state}"


def content_event(name: str, change: str) -> str:
    """The event of a content that was created, changed, closed or deleted."""
    return f"{_CONTENT}{name}:{change}"
