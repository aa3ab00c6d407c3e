"""A stream followed live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.unit.rest.beams.beam import Beam, is_beam_error

Event = tuple[str, Any, int | None]


@contextmanager
def followed(beam: Beam, path: str = "3/elements", **headers: str) -> Iterator[Iterator[Event]]:
    """The events of a feed: name, data and id."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    response = beam.client.get(f"/beams/test_url/{path}", headers=named, buffered=False)
    assert response.mimetype == "text/event-stream", response.text
    with closing(response):
        yield _events(response.iter_encoded())


def _events(chunks: Iterator[bytes]) -> Iterator[Event]:
    for chunk in chunks:
        for block in chunk.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "event" in fields:
                yield (
                    fields["event"],
                    json.loads(fields["data"]),
                    int(fields["id"]) if "id" in fields else None,
                )


def test_everything_is_replayed_then_followed(set10: Beam) -> None:
    with followed(set10, Last_Event_ID="-1") as events:
        replayed = [next(events) for _ in range(10)]
        set10.put_packets(3, [60])
        followed_one = next(events)

    assert [data["pts"] for _, data, _ in replayed] == list(range(-40, 51, 10))
    assert [number for _, _, number in replayed] == list(range(10))
    assert followed_one == ("element", set10.get("3/packet_60").get_json(), 10)


def test_a_feed_begins_when_it_is_asked_for(set10: Beam) -> None:
    with followed(set10) as events:
        set10.put_packets(3, [60])
        assert next(events)[1]["pts"] == 60


def test_what_came_after_an_event_is_replayed(set10: Beam) -> None:
    with followed(set10, "3/elements?last_event_id=7&ids=1") as events:
        found = [next(events)[1] for _ in range(2)]

    assert [document["pts"] for document in found] == [40, 50]
    assert all(document["id"] for document in found)


@pytest.mark.parametrize("last", ["10", "999"])
def test_who_comes_from_an_earlier_stream_of_this_name_misses_nothing(set10: Beam, last: str) -> None:
    with followed(set10, Last_Event_ID=last) as events:
        assert [next(events)[2] for _ in range(10)] == list(range(10))


def test_who_knows_the_last_element_is_told_of_the_next(set10: Beam) -> None:
    with followed(set10, Last_Event_ID="9") as events:
        set10.put_packets(3, [60])
        assert next(events)[1]["pts"] == 60


def test_what_was_removed_is_a_gap(set10: Beam) -> None:
    set10.client.delete("/beams/test_url/3/-30--10")

    with followed(set10, Last_Event_ID="-1") as events:
        found = [next(events) for _ in range(3)]

    assert found[1] == ("gap", {"first": 1, "last": 3}, 3)
    assert (found[0][1]["pts"], found[2][1]["pts"]) == (-40, 0)


@pytest.mark.parametrize("how", ["closed", "stream", "content"])
def test_a_feed_ends_with_its_stream(set10: Beam, how: str) -> None:
    with followed(set10) as events:
        if how == "closed":
            set10.client.patch("/beams/test_url/3", json={"closed": True})
        else:
            set10.client.delete("/beams/test_url" + ("/3" if how == "stream" else ""))
        assert list(events) == [("end", {}, None)]


def test_seats_are_counted_and_given_back(set10: Beam) -> None:
    limit = set10.bench.settings.http.max_sse_clients
    responses = [set10.client.get("/beams/test_url/3/elements", buffered=False) for _ in range(limit)]
    assert is_beam_error(set10.get("3/elements"), 503)
    for response in responses:
        response.close()

    with followed(set10, Last_Event_ID="8") as events:
        assert next(events)[1]["pts"] == 50


@pytest.mark.parametrize("path", ["all/elements", "3/elements?last_event_id=-2", "3/elements?wibble=1"])
def test_a_wrong_feed_is_refused(set10: Beam, path: str) -> None:
    assert is_beam_error(set10.get(path), 400)


def test_a_wrong_place_is_refused(set10: Beam) -> None:
    assert is_beam_error(set10.get("3/elements", headers={"Last-Event-ID": "x"}), 400)
    assert is_beam_error(set10.get("4/elements"), 404)
