"""Whatever is asked, the proxy gives the answer that the http process gives without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobengine.messaging.addresses import addresses
from tests.raw_http import exchange, get, tcp, unix
from tests.services import Service, running_service

OCTETS = {"Content-Type": "application/octet-stream"}
FORMAT = {"type": "format", "url": "cut/one", "streams": [{"type": "Stream", "time_base": [1, 25]}]}
BASE = "/beams/cut%2Fone/0"
DATA = f"{BASE}/packet_1/data"
REQUESTS = {
    "data": get(DATA),
    "raw": get(f"{BASE}/packet_1.raw"),
    "with headers that mean nothing here": get(DATA, "Accept: */*", "Cookie: é", "Connection: keep-alive"),
    "under the name of its stream": get("/beams/cut/one/stream_0/packet_1/data"),
    "with letters encoded": get("/beams/c%75t%2Fone/0/packet%5F1/data"),
    "with a slash behind": get(f"{DATA}/"),
    "no bytes": get(f"{BASE}/packet_2/data"),
    "a megabyte": get(f"{BASE}/packet_3/data"),
    "all planes": get(f"{BASE}/frame_1/data"),
    "one plane": get(f"{BASE}/frame_1/data_1"),
    "a plane that is not there": get(f"{BASE}/frame_1/data_7"),
    "never stored": get(f"{BASE}/packet_4/data"),
    "no such element": get(f"{BASE}/packet_5/data"),
    "no such content": get("/beams/nothing/0/packet_1/data"),
    "no reference": get(f"{BASE}/pocket/data"),
    "bytes that are no text": get("/beams/%ff%fe/0/packet_1/data"),
    "half an escape": get("/beams/cut%2Fone%/0/packet_1/data"),
    "a query": get(f"{DATA}?plane=1"),
    "a fragment": get(f"{DATA}#here"),
    "HEAD": get(DATA, method="HEAD"),
    "OPTIONS": get(DATA, method="OPTIONS"),
    "a method in small letters": get(DATA, method="get"),
    "a range": get(DATA, "Range: bytes=2-5"),
    "HEAD with a parameter": get(f"{DATA}?keep_s=60", method="HEAD"),
    "a range in HEAD": get(DATA, "Range: bytes=2-5", method="HEAD"),
    "a range in another case": get(DATA, "Range: Bytes=2-5"),
    "a range beyond": get(DATA, "Range: bytes=200-"),
    "any tag": get(DATA, "If-None-Match: *"),
    "another tag": get(DATA, 'If-None-Match: "other"'),
    "another tag only": get(DATA, 'If-Match: "other"'),
    "a condition that is ignored": get(DATA, "If-Modified-Since: Sun, 22 Nov 2026 10:00:00 GMT"),
    "an id of its own": get(DATA, "X-Request-Id: mine"),
    "an unknown key": get(DATA, "X-API-Key: je_0_0"),
    "another scheme": get(DATA, "Authorization: Basic YTpi"),
    "another host": get(DATA, host="example.org"),
    "two hosts": get(DATA, "Host: localhost"),
    "no host": f"GET {DATA} HTTP/1.1\r\n\r\n".encode(),
    "an address with a host": get(f"http://localhost{DATA}"),
    "a body of no length": get(DATA, "Content-Length: 0"),
    "a body": get(DATA, "Content-Length: 4") + b"body",
    "a body in chunks": get(DATA, "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "two lengths": get(DATA, "Content-Length: 4", "Content-Length: 5") + b"body",
    "a length and chunks": get(DATA, "Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "the end of the connection": get(DATA, "Connection: close"),
    "an upgrade": get(DATA, "Connection: upgrade", "Upgrade: h2c"),
    "an older version": f"GET {DATA} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode(),
    "a blank before a colon": get(DATA, "Host : example.org"),
    "a folded header": get(DATA, "X-Long: a", " b"),
    "a header without a name": get(DATA, ": a"),
    "the mark of a proxy": get(DATA, "X-Jobengine-Ask-File: guessed"),
    "a long header": get(DATA, f"X-Long: {'a' * 20_000}"),
    "not about contents": get("/healthz"),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data: Path = tmp_path_factory.mktemp("proxy")
    with running_service(data) as running:
        _fill(running)
        yield running


@pytest.mark.parametrize("asked", REQUESTS, ids=str)
def test_the_proxy_answers_as_the_http_process_does(service: Service, asked: str) -> None:
    request = REQUESTS[asked]
    with unix(addresses(service.data).http) as behind:
        expected = exchange(behind, request)

    for _ in range(2):  # once asked, once known
        with tcp(service.port) as connection:
            assert exchange(connection, request).lasting == expected.lasting


def _fill(service: Service) -> None:
    payloads = {"packet_1": b"0123456789", "packet_2": b"", "packet_3": bytes(range(250)) * 4000}
    with service.http() as client:
        client.post("/beams", json=FORMAT).raise_for_status()
        for place, payload in payloads.items():
            client.put(f"{BASE}/{place}", json={"type": "Packet", "size": len(payload)}).raise_for_status()
            client.put(f"{BASE}/{place}/data", content=payload, headers=OCTETS).raise_for_status()
        client.put(f"{BASE}/packet_4", json={"type": "Packet"}).raise_for_status()
        client.put(f"{BASE}/frame_1", json={"type": "Frame"}).raise_for_status()
        planes = {**OCTETS, "Beam-Buf-Sizes": "[4,6]"}
        client.put(f"{BASE}/frame_1/data", content=b"yyyyuuuuuu", headers=planes).raise_for_status()
