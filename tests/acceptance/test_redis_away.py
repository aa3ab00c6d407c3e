"""Redis is not there when the service starts, comes, and goes: contents wait for it, jobs don't."""

from __future__ import annotations

import httpx

from tests.acceptance.documents import at_once, timeline
from tests.acceptance.observing import reach
from tests.redis_servers import running
from tests.services import NewService, Service
from tests.waiting import wait_until


def test_contents_are_unavailable_while_redis_is_away_and_jobs_are_not(new_service: NewService) -> None:
    with running() as redis:
        redis.stop()
        service = new_service(contents__url=redis.url("away")).start()
        http = service.http_process()

        assert_away(service)
        assert_jobs_work(service)

        redis.start()
        wait_until(lambda: contents(service).status_code == 200, "the contents are there")
        assert service.client.contents.create({"type": "format", "url": "film", "streams": []})

        redis.stop()
        assert_away(service)
        assert_jobs_work(service)

        redis.start()
        wait_until(lambda: contents(service).status_code == 200, "the contents are there again")
        assert service.http_process() == http


def contents(service: Service) -> httpx.Response:
    with service.http() as http:
        return http.get("/beams")


def assert_away(service: Service) -> None:
    refusal = contents(service)
    assert refusal.status_code == 503, refusal.text
    assert refusal.headers["Content-Type"] == "application/problem+json"
    assert int(refusal.headers["Retry-After"]) >= 1
    assert "redis.sock" in refusal.json()["detail"]


def assert_jobs_work(service: Service) -> None:
    reach(service.client.jobs.submit(timeline("as ever", at_once("Start"))), "Running")
