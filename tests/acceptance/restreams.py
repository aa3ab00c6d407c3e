"""Re-streaming jobs that go on for as long as a test may look, and then come to their end.

A stream is stored with its real times. Sent in these, it may be over before what is to happen amid it.
"""

from __future__ import annotations

from jobengine.client import Job
from tests.acceptance.documents import at_once

SLOWLY = {"speed": 0.05}
"""Pacing: one second of the stream takes twenty."""


def hurry(job: Job) -> None:
    """It sends the rest of its stream at once."""
    job.append(at_once("None", {"restreamSpec": {"pacing": {"mode": "fast"}}}))
