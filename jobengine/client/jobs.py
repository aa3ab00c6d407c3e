"""The jobs of a service: post, find, count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jobengine.client.http import Http
from jobengine.client.job import Job
from jobengine.ids import new_id

Json = Any
PLACE = "/api/jobs"
PAGE_SIZE = 100


class Jobs:
    """``client.jobs``."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def submit(self, document: dict[str, Json], idempotency_key: str | None = None) -> Job:
        """Post a job. Posting again with the same key within a day gives the same job, not a second one.

        Without a key one is made, so that a post whose connection broke is repeated safely. Raises
        DocumentError with every fault; then nothing was stored.
        """
        headers = {"Idempotency-Key": idempotency_key or new_id()}
        response = self._http.request("POST", PLACE, body=document, headers=headers)
        return Job(self._http, response.json(), response.headers.get("ETag"))

    def validate(self, document: dict[str, Json]) -> Json:
        """The planned timeline of a document; nothing is stored. Raises DocumentError with every fault."""
        return self._http.request("POST", PLACE, params={"validate": "true"}, body=document).json()

    def get(self, job_id: str) -> Job:
        """The job with this id, read. Raises NotFoundError."""
        return self.handle(job_id).refresh()

    def handle(self, job_id: str) -> Job:
        """A handle of a job that is not read before it has to be."""
        return Job(self._http, {"jobId": job_id})

    def list(
        self,
        filter: str | None = None,
        sort: str | None = None,
        fields: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Jobs, page by page as they are taken, at most ``limit``. With ``fields`` they hold only those."""
        params: dict[str, Json] | None = {
            "filter": filter,
            "sort": sort,
            "fields": ",".join(dict.fromkeys(["jobId", *fields])) if fields else None,
            "limit": PAGE_SIZE if limit is None else min(limit, PAGE_SIZE),
        }
        place, left = PLACE, limit
        while left is None or left > 0:
            response = self._http.request("GET", place, params=params)
            for document in response.json()[:left]:
                yield Job(self._http, document)
                left = None if left is None else left - 1
            if "next" not in response.links:
                return
            place, params = response.links["next"]["url"], None

    def count(self, filter: str | None = None) -> int:
        """How many jobs there are."""
        return int(self._http.get(PLACE, {"filter": filter, "count": "true"})["count"])

    def delete(self, filter: str, limit: int | None = None, force: bool = False) -> int:
        """Hide the jobs that ``filter`` finds; how many they were. Active ones only with ``force``."""
        params = {"filter": filter, "limit": limit, "force": "true" if force else None}
        return int(self._http.request("DELETE", PLACE, params=params).json()["count"])
