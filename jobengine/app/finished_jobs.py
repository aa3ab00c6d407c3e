"""Takes ended jobs that rules made off the list, in steps that an http process repeats.

They are deleted as a client would delete them, so their history stays, and auditors see them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import structlog

from jobengine.clock import Clock, to_text
from jobengine.errors import NotFoundError
from jobengine.history.reader import JobReader
from jobengine.messaging.engine_client import EngineClient
from jobengine.messaging.engine_messages import DeleteJob
from jobengine.model.query import parse_filter
from jobengine.model.record import JobRecord
from jobengine.settings import ConvertSettings

ACTOR = "retention"
INTERVAL_S = 60.0
AT_ONCE = 200
_MADE_BY_RULES = (
    'kind == "convert" AND isActive == false AND clientData.rule != null AND clientData.path ~ "/beams*"'
)


class FinishedJobs:
    """Keeps the newest ``finished_jobs`` of them, none older than ``finished_jobs_age_s``.

    What a rule made is told by its ``clientData``: ``rule`` and ``path``.
    """

    def __init__(
        self, reader: JobReader, engine: EngineClient, clock: Clock, settings: ConvertSettings
    ) -> None:
        self._reader = reader
        self._engine = engine
        self._clock = clock
        self._settings = settings
        self._log = structlog.get_logger("jobs")

    def step(self) -> float:
        """A `sweep`; the seconds until the next one. May be cut off anywhere: each deletion is one commit."""
        return 0.0 if self.sweep() == AT_ONCE else INTERVAL_S

    def sweep(self) -> int:
        """Delete what is too old or too many, up to `AT_ONCE`; how many that were.

        Raises UnavailableError while database or engine are away.
        """
        count = 0
        for job in self._superfluous():
            try:
                self._engine.ask(DeleteJob, actor=ACTOR, job_id=job.job_id)
            except NotFoundError:
                continue  # somebody else has deleted it meanwhile
            count += 1
        if count:
            self._log.info("jobs.deleted", count=count)
        return count

    def _superfluous(self) -> Iterator[JobRecord]:
        """The oldest first."""
        made = parse_filter(_MADE_BY_RULES)
        excess = self._reader.count_jobs(made) - self._settings.finished_jobs
        oldest = self._reader.list_jobs(made, sort="createdTime", limit=AT_ONCE).jobs
        age_s = self._settings.finished_jobs_age_s
        limit = None if age_s is None else to_text(self._clock.now() - timedelta(seconds=age_s))
        for place, job in enumerate(oldest):
            if place < excess or (limit is not None and job.created_time < limit):
                yield job
