"""Elements read together with their payload, as ``multipart/mixed``."""

from __future__ import annotations

import httpx
import pytest
from werkzeug.test import TestResponse

from jobengine.client.mixed import read_mixed
from jobengine.rest.beams import mixed_answer
from tests.unit.rest.beams.beam import OCTETS, Beam
from tests.unit.rest.beams.test_batches import packet, put_lines


def read(beam: Beam, place: str) -> TestResponse:
    return beam.get(place, headers={"Accept": "multipart/mixed"})


def taken_apart(response: TestResponse) -> list[tuple[object, list[bytes]]]:
    sent = httpx.Response(200, content=response.data)
    return [(document, [bytes(plane) for plane in planes]) for document, planes in read_mixed(sent)]


def test_elements_come_with_their_planes(with_f: Beam) -> None:
    frame = {"type": "Frame", "pts": 3, "data": ["AAAA", "/w=="]}
    put_lines(with_f, packet(1, b"one\r\n--"), packet(2), frame)

    response = read(with_f, "0/1-3")

    assert response.status_code == 200
    assert response.mimetype == "multipart/mixed"
    assert taken_apart(response) == [
        ({"type": "Packet", "stream_index": 0, "pts": 1, "size": 7}, [b"one\r\n--"]),
        ({"type": "Packet", "stream_index": 0, "pts": 2}, []),
        ({"type": "Frame", "stream_index": 0, "pts": 3, "buf_sizes": [3, 1]}, [b"\0\0\0", b"\xff"]),
    ]
    assert OCTETS.encode() in response.data


def test_one_element_by_kind_comes_too(with_f: Beam) -> None:
    put_lines(with_f, packet(1, b"one"))
    assert [planes for _, planes in taken_apart(read(with_f, "0/packet_1"))] == [[b"one"]]


def test_a_page_ends_where_it_is_large_enough(with_f: Beam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed_answer, "MAX_PAGE_BYTES", 250)
    put_lines(with_f, *(packet(pts, bytes([pts]) * 100) for pts in range(7)))
    place, found = "/beams/test_url/0/first-last?limit=5", []
    pages = 0
    while place:
        response = read(with_f, place.removeprefix("/beams/test_url/"))
        found += [planes[0] for _, planes in taken_apart(response)]
        links = httpx.Response(200, headers={"Link": response.headers["Link"]}).links
        place = links.get("next", {}).get("url", "")
        pages += 1
    assert found == [bytes([pts]) * 100 for pts in range(7)]
    assert pages == 3


@pytest.mark.parametrize(
    "accepted", ["*/*", "multipart/mixed;q=0", "application/json, multipart/mixed;q=0.5"]
)
def test_who_does_not_prefer_parts_gets_json(with_f: Beam, accepted: str) -> None:
    put_lines(with_f, packet(1, b"one"))
    assert with_f.get("0/1", headers={"Accept": accepted}).mimetype == "application/json"
