"""What becomes of uploads whose client goes away, over real connections, with the proxy and without."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from jobengine.messaging.addresses import addresses
from tests.raw_http import read_answer, tcp, unix
from tests.services import Service, running_service

ELEMENT = "/beams/kept/0/packet_1"
PART = (
    f"PUT {ELEMENT}/data HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
    "Content-Length: 10\r\n\r\npart"
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
        client.post("/beams", json={"type": "format", "url": "kept", "streams": [{"type": "Stream"}]})
        client.put(ELEMENT, json={"type": "Packet"}).raise_for_status()
        octets = {"Content-Type": "application/octet-stream"}
        client.put(f"{ELEMENT}/data", content=b"whole", headers=octets).raise_for_status()

        with connect() as connection:
            connection.sendall(PART)
            connection.shutdown(socket.SHUT_WR)
            answer, _ = read_answer(connection)

        assert answer.status == 400
        assert b"after 4 of 10 bytes" in answer.body
        assert client.get(f"{ELEMENT}/data").content == b"whole"
