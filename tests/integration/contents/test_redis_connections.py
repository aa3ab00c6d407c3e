"""Connections to a real Redis: a bounded pool, a password, a number of database. Cases G10, G11 and G14."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from jobengine import settings
from jobengine.clock import SystemClock
from jobengine.contents.opening import open_store
from jobengine.contents.redis_store.opening import open_redis_store
from jobengine.contents.redis_store.server import RedisServer
from jobengine.errors import SettingsError, UnavailableError
from jobengine.ports.contents import PutDocument
from tests.redis_servers import RedisServer as RealServer
from tests.redis_servers import running
from tests.waiting import PATIENCE_S, wait_until

PASSWORD = "s3cret"


@pytest.fixture
def locked() -> Iterator[RealServer]:
    """A server that wants a password."""
    with running() as server:
        with server.client() as client:
            client.config_set("requirepass", PASSWORD)
        yield server


def test_g14_the_eleventh_caller_waits_until_a_connection_is_given_back(redis_server: RealServer) -> None:
    server = RedisServer(f"unix://{redis_server.socket}?max_connections=10", PATIENCE_S)
    asked = threading.Event()

    def ask() -> object:
        asked.set()
        return server.call("PING")

    with ThreadPoolExecutor(11) as pool, redis_server.client() as behind:
        taken = [pool.submit(server.call, "BLPOP", f"wait-{n}", int(PATIENCE_S)) for n in range(10)]
        wait_until(lambda: int(behind.info("clients")["blocked_clients"]) == 10, "ten wait in Redis")
        eleventh = pool.submit(ask)
        asked.wait(PATIENCE_S)
        assert not eleventh.done()

        behind.rpush("wait-3", "go")

        assert eleventh.result(PATIENCE_S) == b"PONG"
        assert taken.pop(3).result(PATIENCE_S)
        assert not any(call.done() for call in taken)
        for number in range(10):
            behind.rpush(f"wait-{number}", "go")
    server.close()


class Forgotten(dict[str, bytes]):
    """Names of scripts of which another thread finds at once that Redis has forgotten them."""

    def __setitem__(self, script: str, name: bytes) -> None:
        """Noted, and struck out by the other thread."""


def test_a_script_is_run_whose_name_another_thread_has_just_struck_out(
    redis_server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RedisServer(f"unix://{redis_server.socket}", PATIENCE_S)
    monkeypatch.setattr(server, "_names", Forgotten())

    assert server.run("return 7", [], []) == 7
    server.close()


def test_g10_a_profile_is_a_file_of_settings(tmp_path: Path) -> None:
    profile = tmp_path / "test.toml"
    profile.write_text('[http]\nport = 13131\n[contents]\nurl = "redis://127.0.0.1:6379/15"\n')

    found = settings.load(profile)

    assert found.http.url == "http://127.0.0.1:13131"
    assert RedisServer(found.contents_url, PATIENCE_S).name == "127.0.0.1:6379"
    assert found.contents_url.endswith("/15")


def test_g11_the_environment_overrides_port_and_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: RealServer
) -> None:
    profile = tmp_path / "test.toml"
    profile.write_text(f'[http]\nport = 13131\n[contents]\nurl = "unix://:wrong@{locked.socket}?db=15"\n')
    with pytest.raises(UnavailableError):
        open_store(settings.load(profile).contents_url)
    monkeypatch.setenv("JOBENGINE_HTTP__PORT", "14141")
    monkeypatch.setenv("JOBENGINE_CONTENTS__URL", f"unix://:{PASSWORD}@{locked.socket}?db=15")

    found = settings.load(profile)
    store = open_redis_store(found.contents_url, SystemClock())
    store.commit([PutDocument("a", "b", {}, 0)])
    store.close()

    assert found.http.port == 14141
    behind = redis.Redis(unix_socket_path=str(locked.socket), password=PASSWORD)
    assert set(behind.info("keyspace")) == {"db15"}
    behind.close()


def test_g12_a_flag_overrides_the_environment_and_an_unreadable_profile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBENGINE_HTTP__PORT", "14141")
    assert settings.load(flags={"http": {"port": 15151}}).http.port == 15151

    broken = tmp_path / "broken.toml"
    broken.write_text("[http\n")
    with pytest.raises(SettingsError, match="is not TOML"):
        settings.load(broken)
