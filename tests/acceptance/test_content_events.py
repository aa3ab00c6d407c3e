"""What happens to a content is told to those who wait for it, whichever process did it."""

from __future__ import annotations

from typing import Any

import httpx

from tests.acceptance.documents import after, at_once, on, pipe, timeline
from tests.acceptance.observing import history_of, info_of, reach
from tests.services import Service
from tests.waiting import wait_until


def into(content: str) -> dict[str, Any]:
    """A description: half a second of the counter, recorded into a content by a worker."""
    description = pipe("unused.wav", live=False)
    writer = {"name": "ContentWriter", "content": content}
    description["pipeSpec"]["outputGraph"][0]["filter"] = [writer]
    return description


def test_a_job_starts_at_the_end_of_another_ones_recording(service: Service) -> None:
    trigger: dict[str, Any] = {"name": "content:tape:closed", "match": {"isClosed": True}}
    waiting = service.client.jobs.submit(
        timeline("next", on("Event", "Start", **trigger), after(1, "Finish"))
    )
    recorder = service.client.jobs.submit(
        timeline("tape", at_once("Start", into("tape")), after(500, "Finish"))
    )

    reach(recorder, "Finished")
    reach(waiting, "Finished")

    start = history_of(service, waiting)[0]
    told = {"content": "tape", "stream": 0, "isClosed": True}
    assert info_of(start)["event"] == {"name": "content:tape:closed", "data": told}


def test_what_clients_do_is_in_the_feed(http: httpx.Client) -> None:
    http.post("/beams", json={"type": "format", "url": "clip", "streams": []}).raise_for_status()
    wanted = ["content:clip:created", "content:clip:deleted"]
    wait_until(lambda: wanted[0] in names(http, "clip"), "its making is told")
    http.delete("/beams/clip").raise_for_status()
    wait_until(lambda: names(http, "clip") == wanted, "its end is told")


def names(http: httpx.Client, content: str) -> list[str]:
    """The events of a content, as the feed has them."""
    where = f'type == "event.raised" AND data.data.content == "{content}"'
    listed = http.get("/api/events", params={"filter": where}).json()
    return [event["data"]["name"] for event in listed]
