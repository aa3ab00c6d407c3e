"""The Content Beam API of a real service, over the embedded store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.services import NewService, Service, running_service
from tests.waiting import wait_until

OCTETS = {"Content-Type": "application/octet-stream"}
NAME = "file:///media/a b?c.mp4"
PLACE = "/beams/file%3A%2F%2F%2Fmedia%2Fa%20b%3Fc.mp4"
FORMAT = {
    "type": "format",
    "url": NAME,
    "streams": [{"type": "Stream", "index": 0, "time_base": [1, 25], "codecpar": {"codec_type": "video"}}],
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data: Path = tmp_path_factory.mktemp("beams")
    with running_service(data, contents__sweep_interval_s=0.1) as running:
        yield running


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """A client of a service with one content of the name `NAME`."""
    with service.http() as client:
        client.delete(PLACE)
        made = client.post("/beams", json=FORMAT)
        assert (made.status_code, made.headers["Location"]) == (201, PLACE)
        yield client


def put_packet(http: httpx.Client, pts: int, data: bytes, query: str = "") -> None:
    assert http.put(f"{PLACE}/0/packet_{pts}", json={"type": "Packet"}).status_code == 201
    assert http.put(f"{PLACE}/0/packet_{pts}/data{query}", content=data, headers=OCTETS).status_code == 201


def test_names_are_encoded_parts_of_addresses(http: httpx.Client) -> None:
    assert http.get(PLACE).json() == FORMAT
    assert http.get(f"{PLACE}/video").json() == FORMAT["streams"][0]
    assert NAME in http.get("/beams").json()


def test_payloads_go_in_and_out(http: httpx.Client) -> None:
    data = bytes(range(256)) * 8192
    put_packet(http, -5, data)

    whole = http.get(f"{PLACE}/video/packet_-5.raw")
    part = http.get(f"{PLACE}/video/packet_-5/data", headers={"Range": "bytes=256-511"})
    head = http.head(f"{PLACE}/video/packet_-5/data")

    assert (whole.status_code, whole.content, whole.headers["Beam-PTS"]) == (200, data, "-5")
    assert (part.status_code, part.content) == (206, data[256:512])
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(data)))
    assert whole.headers["ETag"] == head.headers["ETag"]
    missing = http.get(f"{PLACE}/video/packet_-6/data")
    assert (missing.status_code, missing.json()["statusCode"]) == (404, 404)


def test_an_upload_may_come_in_chunks_of_unknown_number(http: httpx.Client) -> None:
    http.put(f"{PLACE}/0/packet_1", json={"type": "Packet"})

    response = http.put(
        f"{PLACE}/0/packet_1/data", content=iter([b"a" * 100_000, b"b" * 100_000]), headers=OCTETS
    )

    assert response.request.headers["Transfer-Encoding"] == "chunked"
    assert response.status_code == 201
    assert http.get(f"{PLACE}/0/packet_1/data").content == b"a" * 100_000 + b"b" * 100_000


def test_a_payload_expires_and_its_description_stays(http: httpx.Client) -> None:
    put_packet(http, 1, b"x", "?expires_s=0.3")
    put_packet(http, 2, b"y")

    wait_until(lambda: http.get(f"{PLACE}/0/packet_1/data").status_code == 404, "the payload is gone")

    assert http.get(f"{PLACE}/0/1").json()[0]["pts"] == 1
    assert http.get(f"{PLACE}/0/packet_2/data").content == b"y"


def test_a_stream_is_followed_live(http: httpx.Client) -> None:
    with http.stream("GET", f"{PLACE}/0/elements") as feed:
        lines = feed.iter_lines()
        put_packet(http, 7, b"x")
        assert "event: element" in lines
        assert '"pts":7' in next(lines)
        http.patch(f"{PLACE}/0", json={"closed": True})
        assert "event: end" in list(lines)
    latest = http.get(f"{PLACE}/video/latest")
    assert latest.headers["Location"] == f"{PLACE}/stream_0/packet_7"
    assert latest.headers["Beam-Closed"] == "true"


def test_what_was_acknowledged_survives_a_kill(new_service: NewService) -> None:
    service = new_service().start()
    with service.http() as http:
        http.post("/beams", json=FORMAT)
        for pts in range(20):
            put_packet(http, pts, bytes([pts]) * 1000)
        service.kill()
        service.start()
        found = [http.get(f"{PLACE}/0/packet_{pts}/data").content for pts in range(20)]
        assert http.get(PLACE).json() == FORMAT

    assert found == [bytes([pts]) * 1000 for pts in range(20)]
