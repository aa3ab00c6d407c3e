"""Copies on a server of another make: nginx keeps what is put, as WebDAV has it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from jobengine.errors import MediaError
from jobengine.testing.clock import ManualClock
from jobengine.worker.convert import copy_places
from tests.contract.contents.backends import BACKENDS
from tests.integration.convert.kitchen import Kitchen
from tests.needs import need
from tests.ports import free_port
from tests.waiting import PATIENCE_S, wait_until

CONFIGURATION = """
user root;
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    client_max_body_size 1m;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/kept;
        location / {{ dav_methods PUT; create_full_put_path on; }}
        location /locked/ {{ return 403; }}
    }}
}}
"""


@dataclass(frozen=True)
class Objects:
    """The server: its address, and the folder of what it keeps."""

    url: str
    kept: Path


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[Objects]:
    """A server without anything."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        need("nginx")
    folder, port = tmp_path / "nginx", free_port()
    (folder / "kept").mkdir(parents=True)
    (folder / "conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    command = [str(program), "-c", str(folder / "conf"), "-e", str(folder / "error.log")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(url), "nginx answers")
            yield Objects(url, folder / "kept")
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _answers(url: str) -> bool:
    try:
        return bool(httpx.get(url, timeout=1))
    except httpx.TransportError:
        return False


@pytest.fixture
def kitchen(
    objects: Objects, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kitchen]:
    """A kitchen that may copy to the server."""
    monkeypatch.setattr(copy_places, "TIMEOUT_S", PATIENCE_S)
    with BACKENDS["memory"](tmp_path / "store", clock) as factory:
        yield Kitchen(factory.open(), clock, tmp_path, (objects.url,))


@pytest.mark.needs("ffmpeg")
def test_what_was_copied_to_a_server_comes_back_whole(
    kitchen: Kitchen, objects: Objects, film_file: Path
) -> None:
    kitchen.bring_in("a film/1", film_file)
    before = [bytes(item.planes[0]) for item in kitchen.media("a film/1")]
    to = f"{objects.url}/bucket"
    kitchen.run("makeEquivalent", "a film/1", "all", "first-last", to=to)
    (twin,) = kitchen.relations.equivalents.query("a film/1")
    assert json.loads(httpx.get(f"{twin}/format.json", timeout=PATIENCE_S).content)["url"] == twin

    kitchen.run("storeCopy", "a film/1", "all", "first-last", to=to)
    kitchen.drop_payloads("a film/1")
    assert kitchen.media("a film/1") == []
    assert kitchen.get("a film/1", "video", "0s-4s")

    assert [bytes(item.planes[0]) for item in kitchen.media("a film/1")] == before
    kept = [path.relative_to(objects.kept).parts[0] for path in objects.kept.rglob("*.raw")]
    assert len(kept) >= len(before)
    assert set(kept) == {"bucket"}


@pytest.mark.parametrize(("to", "told"), [("locked/x", "answers 40"), ("", "below a URL")])
def test_what_a_server_refuses_is_told(kitchen: Kitchen, objects: Objects, to: str, told: str) -> None:
    kitchen.make("news")
    where = f"{objects.url}/{to}" if to else "http://127.0.0.1:9/elsewhere"

    with pytest.raises(MediaError, match=told):
        kitchen.run("makeEquivalent", "news", "all", "first-last", to=where)

    assert kitchen.relations.equivalents.query("news") == []


def test_a_server_that_is_away_is_told(kitchen: Kitchen, tmp_path: Path, clock: ManualClock) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    other = Kitchen(kitchen.store, clock, tmp_path, (away,))
    other.make("news")

    with pytest.raises(MediaError, match="can't be reached"):
        other.run("makeEquivalent", "news", "all", "first-last", to=away)
