"""The event feed: every event once and in order, whatever happens to the connection or the service."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from jobengine.client import Client
from tests.acceptance.documents import at_once, timeline
from tests.services import NewService, Service
from tests.waiting import PATIENCE_S, wait_until

LAST = "that is all"


@dataclass
class Listener:
    """Follows the feed until the event named `LAST`."""

    url: str
    after: int
    numbers: list[int] = field(default_factory=list)

    def run(self) -> None:
        with Client(self.url) as client:
            for event in client.events.stream(last_event_id=self.after):
                self.numbers.append(event.sequence)
                if event.data.get("name") == LAST:
                    return


def make_events(service: Service, name: str) -> None:
    for n in range(5):
        service.client.jobs.submit(timeline(f"{name} {n}", at_once("Start"), at_once("Finish")))


def numbers_of(service: Service, after: int = 0) -> list[int]:
    return [row[0] for row in service.sql("SELECT sequence FROM events WHERE sequence > ? ORDER BY 1", after)]


def newest(service: Service) -> int:
    return max(numbers_of(service), default=0)


def test_a_client_that_comes_back_sees_every_event_once(service: Service) -> None:
    before, seen = newest(service), list[int]()
    make_events(service, "parts")
    wait_until(
        lambda: service.client.jobs.count('name ~ "parts" AND isActive == false') == 5, "all has happened"
    )
    expected = numbers_of(service, before)
    while len(seen) < len(expected):
        with Client(service.client.url) as client:
            feed = client.events.stream(last_event_id=seen[-1] if seen else before)
            for event in feed:
                seen.append(event.sequence)
                if len(seen) % 7 == 0 or len(seen) == len(expected):
                    break
            feed.close()  # type: ignore[attr-defined]
    assert seen == expected


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_a_listener_goes_on_across_a_restart_of_the_service(new_service: NewService, ending: str) -> None:
    service = new_service().start()
    make_events(service, "first")
    listener = Listener(service.client.url, newest(service))
    thread = threading.Thread(target=listener.run)
    thread.start()
    make_events(service, "before")
    wait_until(lambda: listener.numbers, "the listener has heard something")
    if ending == "kill":
        service.kill()
    else:
        service.stop()
    service.start()
    make_events(service, "behind")
    wait_until(lambda: service.client.jobs.count("isActive == true") == 0, "all has happened")
    service.client.events.post(LAST)
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert listener.numbers == numbers_of(service, listener.after)
