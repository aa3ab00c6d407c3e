"""What clients notice of the proxy that has the port: nothing but its pace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.raw_http import exchange, get, tcp
from tests.services import Service, running_service
from tests.waiting import PATIENCE_S, wait_until

OCTETS = {"Content-Type": "application/octet-stream"}
FORMAT = {"type": "format", "url": "live", "streams": [{"type": "Stream", "time_base": [1, 25]}]}
PLACE = "/beams/live/0/packet_1"
DATA = f"{PLACE}/data"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data: Path = tmp_path_factory.mktemp("proxy")
    with running_service(data) as running:
        yield running


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """A client of a service with one packet, whose payload is ``first``."""
    with service.http() as client:
        client.delete("/beams/live")
        client.post("/beams", json=FORMAT).raise_for_status()
        client.put(PLACE, json={"type": "Packet"}).raise_for_status()
        client.put(DATA, content=b"first", headers=OCTETS).raise_for_status()
        yield client


def known_answers(http: httpx.Client) -> int:
    found = re.search(r"^jobengine_proxy_answers_total (\S+)$", http.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def test_what_is_asked_for_again_is_answered_by_the_proxy_and_counted(
    service: Service, http: httpx.Client
) -> None:
    before = known_answers(http)
    with tcp(service.port) as connection:

        def is_known() -> bool:
            assert exchange(connection, get(DATA)).body == b"first"
            return known_answers(http) > before

        wait_until(is_known, "the proxy knows the answer")


def test_what_was_put_is_read_with_the_next_request(service: Service, http: httpx.Client) -> None:
    with tcp(service.port) as reader:
        for number in range(50):
            payload = b"%d" % number
            http.put(DATA, content=payload, headers=OCTETS).raise_for_status()
            assert [exchange(reader, get(DATA)).body for _ in range(3)] == [payload] * 3


def test_what_was_let_go_is_gone_with_the_next_request(service: Service, http: httpx.Client) -> None:
    with tcp(service.port) as reader:
        assert [exchange(reader, get(DATA)).status for _ in range(3)] == [200] * 3
        http.delete(DATA).raise_for_status()
        assert exchange(reader, get(DATA)).status == 404


def test_a_rule_that_is_made_counts_for_the_next_request(service: Service, http: httpx.Client) -> None:
    pattern = r"^/beams/(?P<content>[^/]+)/(?P<stream>[^/]+)/packet_1/data$"
    with tcp(service.port) as reader:
        assert [exchange(reader, get(DATA)).body for _ in range(3)] == [b"first"] * 3
        http.put("/api/rules/mine", json={"pathPattern": pattern, "recipe": "summary"}).raise_for_status()
        made = exchange(reader, get(DATA))
    http.delete("/api/rules/mine").raise_for_status()
    assert made.header("content-type") == "application/json"


def test_one_connection_may_ask_for_anything_in_any_order(service: Service, http: httpx.Client) -> None:
    with tcp(service.port) as connection:
        for path, status in ((DATA, 200), ("/healthz", 200), (DATA, 200), ("/beams/none", 404), (DATA, 200)):
            assert exchange(connection, get(path)).status == status


def test_a_proxy_that_was_killed_is_replaced_and_clients_wait_for_it(
    service: Service, http: httpx.Client
) -> None:
    killed = service.proxy_process()
    killed.kill()
    killed.wait(PATIENCE_S)

    with tcp(service.port) as connection:
        assert exchange(connection, get(DATA)).body == b"first"
    assert service.proxy_process().pid != killed.pid


def test_a_http_process_that_was_killed_is_replaced_behind_the_proxy(
    service: Service, http: httpx.Client
) -> None:
    proxy, killed = service.proxy_process(), service.http_process()
    killed.kill()
    killed.wait(PATIENCE_S)

    with tcp(service.port) as connection:
        assert exchange(connection, get("/healthz")).status == 200
    assert service.proxy_process() == proxy


def test_a_revoked_key_opens_nothing_a_second_later(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        admin, viewer = (_new_key(service, role) for role in ("admin", "viewer"))
        with service.http(headers={"X-API-Key": admin}) as http:
            wait_until(lambda: http.post("/beams", json=FORMAT).status_code == 201, "the key counts")
            http.put(PLACE, json={"type": "Packet"}).raise_for_status()
            http.put(DATA, content=b"first", headers=OCTETS).raise_for_status()
        asked = get(DATA, f"X-API-Key: {viewer}")
        with tcp(service.port) as reader:
            assert [exchange(reader, asked).body for _ in range(3)] == [b"first"] * 3
            assert service.cli("key", "revoke", viewer.split("_")[1]).returncode == 0
            wait_until(lambda: exchange(reader, asked).status == 401, "the key opens nothing")


def _new_key(service: Service, role: str) -> str:
    return service.cli("key", "create", role, "--role", role).stdout.strip()
