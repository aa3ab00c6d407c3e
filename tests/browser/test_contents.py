"""What people see of contents, and hear and see in them: Chromium against a real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import new_page
from tests.integration.media.films import film
from tests.services import Service, running_service
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.needs("chromium", "ffmpeg"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("contents")
    with running_service(folder / "data") as service:
        service.client.contents.import_file(film(folder / "film.mp4"), "a <b>film</b>/1")
        yield service


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may not complain."""
    opened = new_page(browser)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield opened
    opened.close()
    assert complaints == []


def _open(page: Page, service: Service) -> None:
    page.goto(f"{service.client.url}/contents")
    page.get_by_role("link", name="a <b>film</b>/1").click()
    expect(page.locator("h1")).to_have_text("a <b>film</b>/1")


def test_a_content_shows_its_format_and_its_streams(page: Page, service: Service) -> None:
    _open(page, service)
    expect(page.locator("#format")).to_contain_text("mov,mp4")
    video = page.locator('tr[data-stream="0"]')
    for text in ("video", "h264", "320×180", "100", "none", "yes"):
        expect(video).to_contain_text(text)
    expect(page.locator('tr[data-stream="1"]')).to_contain_text("48000 Hz, 1 channels")
    expect(page.locator("#bands .band")).to_have_count(2)
    expect(page.locator("#bands .gap")).to_have_count(0)


def test_the_first_picture_is_seen(page: Page, service: Service) -> None:
    _open(page, service)
    poster = page.get_by_role("img", name="The first picture of")
    expect(poster).to_be_visible()
    assert poster.evaluate("image => image.decode().then(() => image.naturalWidth)") == 640


def test_a_range_is_played(page: Page, service: Service) -> None:
    _open(page, service)
    expect(page.locator("#from")).not_to_have_value("")
    page.get_by_label("From").fill("1")
    page.get_by_label("to", exact=True).fill("2.5")
    page.keyboard.press("Enter")
    expect(page.locator('tr[data-stream="0"]')).to_contain_text("38")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#playing")).to_have_text("1 s to 2.5 s")
    player = page.locator("#player")
    expect(player).to_be_visible()
    wait_until(lambda: player.evaluate("player => player.currentTime") > 0.2, "it plays")
    assert abs(player.evaluate("player => player.duration") - 1.5) < 0.2


def test_a_range_that_runs_backwards_is_told(page: Page, service: Service) -> None:
    _open(page, service)
    expect(page.locator("#from")).not_to_have_value("")
    page.get_by_label("From").fill("3")
    page.get_by_label("to", exact=True).fill("2")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_have_text("the range must end after its beginning")


def test_a_gap_is_seen_and_told(page: Page, service: Service, tmp_path: Path) -> None:
    contents = service.client.contents
    contents.import_file(film(tmp_path / "holed.mp4"), "holed")
    contents.remove("holed", "video", "25600-38399")
    page.goto(f"{service.client.url}/contents/holed")
    expect(page.locator('tr[data-stream="0"]')).to_contain_text("2–3 s")
    expect(page.locator("#bands .gap")).to_have_count(1)
    expect(page.locator("#bands .band")).to_have_count(3)


def test_what_is_not_there_is_told(browser: Browser, service: Service) -> None:
    page = new_page(browser)
    page.goto(f"{service.client.url}/contents/nothing")
    expect(page.get_by_role("alert")).to_contain_text("nothing")
    page.close()
