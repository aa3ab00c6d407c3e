"""What Redis does to the store: connections lost, servers killed and full, scripts forgotten."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from jobengine.clock import SystemClock
from jobengine.contents.redis_store.opening import open_redis_store
from jobengine.contents.redis_store.store import RedisContents
from jobengine.errors import SettingsError, UnavailableError
from jobengine.model.element import Element, ElementKind, StoredElement
from jobengine.ports.contents import (
    DeleteElements,
    DropStream,
    PutDocument,
    PutElement,
    PutMode,
)
from tests.begun import begun
from tests.integration.contents.cutting_proxy import CuttingProxy
from tests.ports import free_port
from tests.redis_servers import RedisServer, running
from tests.waiting import PATIENCE_S, wait_until

STREAM = 3
LARGE = 300_000


def put(pts: int, payload: bytes, mode: PutMode = PutMode.APPEND) -> PutElement:
    return PutElement(STREAM, Element(ElementKind.PACKET, pts), [payload], mode)


def opened(url: str) -> RedisContents:
    return begun(open_redis_store(url, SystemClock(), timeout_s=PATIENCE_S), range(4))


def fill(store: RedisContents) -> int:
    """Commit two elements and a document until Redis is said to be full; how many commits were done."""
    for number in range(1000):
        document = PutDocument("things", "last", {"n": number}, number)
        try:
            store.commit([document, put(number, b"x" * LARGE), put(number, b"small")])
        except UnavailableError as refusal:
            return number if "full" in refusal.detail else -1
    return -1


@pytest.fixture
def proxy(redis_server: RedisServer, tmp_path: Path) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(tmp_path / "proxy.sock", redis_server.socket)
    yield proxy
    proxy.close()


@pytest.fixture
def behind_proxy(proxy: CuttingProxy, tmp_path: Path) -> Iterator[RedisContents]:
    store = opened(f"unix://{proxy.path}?prefix={tmp_path.name}")
    yield store
    store.close()


@pytest.mark.parametrize("moment", ["cut_before", "cut_behind"])
@pytest.mark.parametrize("size", [10, LARGE])
def test_a_commit_whose_connection_is_lost_is_done_once(
    proxy: CuttingProxy, behind_proxy: RedisContents, moment: str, size: int
) -> None:
    behind_proxy.commit([put(0, b"-" * size)])
    version = behind_proxy.version()
    setattr(proxy, moment, b"EVALSHA")

    outcomes = behind_proxy.commit(
        [put(1, b"x" * size, PutMode.CREATE), PutDocument("things", "a", {}, expected_revision=0)]
    )

    assert proxy.cuts == 1
    assert [(each.created, each.changed) for each in outcomes] == [(True, 1), (True, 1)]
    assert behind_proxy.version() == version + 1
    assert behind_proxy.facts(STREAM).next_sequence == 2
    [planes] = behind_proxy.payloads(behind_proxy.range(STREAM, 1, 1))
    assert planes is not None
    assert bytes(planes[0]) == b"x" * size


def test_a_repeated_large_payload_does_not_go_by_itself(
    proxy: CuttingProxy, behind_proxy: RedisContents, redis_server: RedisServer, tmp_path: Path
) -> None:
    proxy.cut_behind = b"EVALSHA"

    behind_proxy.commit([put(1, b"x" * LARGE)])

    with redis_server.client() as client:
        [chunk] = client.scan_iter(f"{{{tmp_path.name}}}:stream:*:chunk:*")
        assert client.ttl(chunk) == -1


def test_reads_outlive_a_lost_connection(proxy: CuttingProxy, behind_proxy: RedisContents) -> None:
    behind_proxy.commit([put(1, b"x")])
    proxy.cut_before = b"EVALSHA"

    assert len(behind_proxy.range(STREAM, 0, 9)) == 1
    assert proxy.cuts == 1


def test_a_server_that_is_away_is_said_to_be_and_serves_again_when_back() -> None:
    with running("--appendonly", "yes", "--appendfsync", "always") as server:
        store = opened(server.url("a"))
        store.commit([put(1, b"x")])
        server.stop()
        for use in (lambda: store.commit([put(2, b"x")]), lambda: store.facts(STREAM)):
            with pytest.raises(UnavailableError, match=r"redis\.sock"):
                use()
        server.start()
        store.commit([put(3, b"x")])
        assert [each.element.pts for each in store.range(STREAM, 0, 9)] == [1, 3]
        store.close()


def test_nobody_to_talk_to_is_said_when_opening(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"nobody\.sock"):
        opened(f"unix://{tmp_path / 'nobody.sock'}")


def test_what_was_acknowledged_survives_kill_9_with_appendfsync_always() -> None:
    with running("--appendonly", "yes", "--appendfsync", "always") as server:
        store = opened(server.url("a"))
        for pts in range(50):
            store.commit([put(pts, b"%d" % pts), PutDocument("things", "last", {"pts": pts}, None)])
        store.commit([put(50, b"y" * LARGE)])
        server.stop(signal.SIGKILL)
        store.close()

        server.start()
        store = opened(server.url("a"))
        found = store.range(STREAM, 0, 100)
        assert [each.element.pts for each in found] == list(range(51))
        planes = [bytes(each[0]) for each in store.payloads(found) if each]
        assert planes == [*(b"%d" % pts for pts in range(50)), b"y" * LARGE]
        document = store.document("things", "last")
        assert document is not None
        assert (document.value, document.revision) == ({"pts": 49}, 50)
        store.close()


def test_a_full_server_refuses_whole_commits_and_lets_things_go() -> None:
    with running("--maxmemory", "24mb") as server:
        store = opened(server.url("a"))
        stored = fill(store)

        assert store.facts(STREAM).count == stored * 2
        document = store.document("things", "last")
        assert document is not None
        assert (document.value, document.revision) == ({"n": stored - 1}, stored)
        store.commit([DeleteElements(STREAM, 0, stored // 2)])
        store.commit([put(stored, b"x" * LARGE)])
        assert len(store.range(STREAM, stored, stored)) == 1
        store.close()


def test_a_dropped_stream_leaves_no_key(redis_server: RedisServer, redis_url: str) -> None:
    store = opened(redis_url)
    store.commit([put(1, b"x"), put(2, b"x" * LARGE), put(3, b"x" * 70_000)])
    store.commit([DeleteElements(STREAM, 1, 1)])

    store.commit([DropStream(STREAM)])

    prefix = redis_url.rpartition("=")[2]
    with redis_server.client() as client:
        assert list(client.scan_iter(f"{{{prefix}}}:stream:{STREAM}:*")) == []
    store.close()


def test_forgotten_scripts_are_loaded_again(redis_server: RedisServer, redis_url: str) -> None:
    store = opened(redis_url)
    store.commit([put(1, b"x")])
    with redis_server.client() as client:
        client.script_flush()

    store.commit([put(2, b"x" * LARGE)])

    assert [each.element.pts for each in store.range(STREAM, 0, 9)] == [1, 2]
    store.close()


def test_a_store_lies_in_one_slot_of_a_redis_cluster() -> None:
    settings = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--bind", "127.0.0.1")
    with running(*settings) as server:
        with server.client() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
            wait_until(lambda: client.cluster("INFO")["cluster_state"] == "ok", "slots")
        store = opened(server.url("a"))
        for stream in range(4):
            element = Element(ElementKind.PACKET, 1, is_key=True)
            store.commit([PutElement(stream, element, [b"x" * LARGE]), PutDocument("a", "b", {}, None)])
        assert [isinstance(each, StoredElement) for each in store.scan(3, 0, 9)] == [True]
        store.close()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ((), "appendonly is off"),
        (("--appendonly", "yes"), "appendfsync is everysec"),
        (
            ("--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "yes"),
            "no-appendfsync-on-rewrite is on",
        ),
        (("--appendonly", "yes", "--appendfsync", "always"), ""),
        (("--rename-command", "CONFIG", ""), "unknown command"),
    ],
)
def test_a_server_that_may_lose_what_it_has_is_warned_of(settings: tuple[str, ...], reason: str) -> None:
    with running(*settings) as server, structlog.testing.capture_logs() as logs:
        opened(server.url("a")).close()

    assert len(logs) == bool(reason)
    assert all(reason in entry["reason"] and entry["log_level"] == "warning" for entry in logs)


def test_a_server_that_evicts_anything_is_refused() -> None:
    with (
        running("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server,
        pytest.raises(SettingsError, match="noeviction"),
    ):
        opened(server.url("a"))
