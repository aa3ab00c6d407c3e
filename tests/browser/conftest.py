"""The dashboard in Chromium, against the API over the real engine, in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import ThreadedWSGIServer, make_server

from jobengine.rest import event_feed
from tests.unit.rest.bench import Bench, make_bench
from tests.waiting import PATIENCE_MS, wait_until

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Dashboard:
    """A page, the bench behind it, and everything that the browser complained about."""

    page: Page
    bench: Bench
    url: str
    complaints: list[str]


def _answering() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "process_request" in thread.name]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield launched
        launched.close()


def new_page(browser: Browser) -> Page:
    """A page that waits as long as all tests do, for what is clicked as well. The caller closes it."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


@pytest.fixture
def dashboard(
    browser: Browser, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Dashboard]:
    monkeypatch.setattr(event_feed, "LOOK_AGAIN_S", 0.1)
    monkeypatch.setattr(event_feed, "KEEP_ALIVE_S", 0.1)
    bench = make_bench(tmp_path, sqlite_url)
    server = make_server("127.0.0.1", 0, bench.client.application, threaded=True)
    assert isinstance(server, ThreadedWSGIServer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    page = new_page(browser)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield Dashboard(page, bench, f"http://127.0.0.1:{server.server_port}", complaints)
    page.close()
    wait_until(lambda: not _answering(), "every request answered")
    server.shutdown()
    thread.join()
    server.server_close()
    bench.database.close()
