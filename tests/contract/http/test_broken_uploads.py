"""What becomes of uploads whose client goes away, over real connections, with the proxy and without."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest

from jobengine.messaging.addresses import addresses
from tests.raw_http import read_answer, tcp, unix
from tests.services import Service, running_service

ELEMENT = "/beams/kept/0/packet_1"
PART = (
    f"PUT {ELEMENT}/data HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
    "Content-Length: 10\r\n\r\npart"
).encode()
CHUNKED = (
    f"PUT {ELEMENT}/data HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
).encode()
Connect = Callable[[], socket.socket]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("uploads")) as running:
        yield running


@pytest.mark.parametrize("way", ["proxy", "http process"])
def test_a_part_of_a_payload_does_not_replace_the_whole(service: Service, way: str) -> None:
    connect: Connect = partial(tcp, service.port)
    if way == "http process":
        connect = partial(unix, addresses(service.data).http)
    with service.http() as client:
        _have(client, b"whole")

        with connect() as connection:
            connection.sendall(PART)
            connection.shutdown(socket.SHUT_WR)
            answer, _ = read_answer(connection)

        assert answer.status == 400
        assert b"after 4 of 10 bytes" in answer.body
        assert client.get(f"{ELEMENT}/data").content == b"whole"


@pytest.mark.parametrize(
    "chunks",
    [
        b"",
        b"4",
        b"4\r\npar",
        b"4\r\npart",
        b"4\r\npart\r\n",
        b"4\r\npart\r\n0",
        b"4\r\npart\r\n0\r\n",
        b"4\r\npart\r\n0\r\nTrailer: x\r\n",
        b"4\r\npart\r\nx\r\n\r\n",
        b"4\r\npart of more\r\n0\r\n\r\n",
        b"4\r\npart0\r\n\r\n",
        b"0x4\r\npart\r\n0\r\n\r\n",
        b"4\npart\n0\n\n",
        b"ffffffffffffffff1\r\npart\r\n0\r\n\r\n",
    ],
)
def test_chunks_that_break_off_or_make_no_sense_change_nothing(service: Service, chunks: bytes) -> None:
    with service.http() as client:
        _have(client, b"whole")

        with tcp(service.port) as connection:
            connection.sendall(CHUNKED + chunks)
            connection.shutdown(socket.SHUT_WR)
            answer, _ = read_answer(connection)

        assert answer.status == 400
        assert b"chunks" in answer.body
        assert client.get(f"{ELEMENT}/data").content == b"whole"


def test_the_lines_of_a_batch_that_breaks_off_are_not_stored(service: Service) -> None:
    head = CHUNKED.replace(f"{ELEMENT}/data".encode(), b"/beams/kept/0/elements")
    line = b'{"type": "Packet", "pts": 7}\n'
    with service.http() as client, tcp(service.port) as connection:
        _have(client, b"whole")

        connection.sendall(head.replace(b"octet-stream", b"x-ndjson") + b"%x\r\n%b\r\n" % (len(line), line))
        connection.shutdown(socket.SHUT_WR)

        answer, _ = read_answer(connection)
        assert (answer.status, b"chunks" in answer.body) == (400, True)
        assert client.get("/beams/kept/0/packet_7").status_code == 404


def test_who_breaks_chunks_and_sends_on_can_read_why(service: Service) -> None:
    with service.http() as client:
        _have(client, b"whole")

        with tcp(service.port) as connection:
            connection.sendall(CHUNKED + b"4\r\npart\r\nx\r\n" + bytes(1 << 20))
            answer, _ = read_answer(connection)

        assert answer.status == 400
        assert client.get(f"{ELEMENT}/data").content == b"whole"


def test_whole_chunks_are_stored_however_they_come(service: Service) -> None:
    with service.http() as client, tcp(service.port) as connection:
        _have(client, b"whole")

        for byte in CHUNKED + b"4\r\npart\r\n04;a=b\r\n one\r\n0\r\nTrailer: x\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert read_answer(connection)[0].status == 200
        assert client.get(f"{ELEMENT}/data").content == b"part one"

        connection.sendall(2 * (CHUNKED + b"3\r\nnew\r\n0\r\n\r\n"))
        first, rest = read_answer(connection)
        assert (first.status, read_answer(connection, received=rest)[0].status) == (200, 200)
        assert client.get(f"{ELEMENT}/data").content == b"new"


def test_an_upgrade_is_asked_for_in_vain(service: Service) -> None:
    asking = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n")
    with service.http() as client, tcp(service.port) as connection:
        _have(client, b"whole")

        connection.sendall(asking + b"3\r\nnew\r\n0\r\n\r\n")

        assert read_answer(connection)[0].status == 200
        assert client.get(f"{ELEMENT}/data").content == b"new"


def _have(client: httpx.Client, payload: bytes) -> None:
    """An element with this payload."""
    client.post("/beams", json={"type": "format", "url": "kept", "streams": [{"type": "Stream"}]})
    client.put(ELEMENT, json={"type": "Packet"}).raise_for_status()
    octets = {"Content-Type": "application/octet-stream"}
    client.put(f"{ELEMENT}/data", content=payload, headers=octets).raise_for_status()
