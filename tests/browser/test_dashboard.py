"""What people see and can do in the dashboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.unit.rest.bench import immediate, on_event

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.xdist_group("browser")]


def test_the_list_is_live_and_counts_by_state(dashboard: Dashboard) -> None:
    page, bench = dashboard.page, dashboard.bench
    page.goto(dashboard.url)
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#empty")).to_be_visible()
    job = bench.submit(on_event("Start"), name="Noon <b>news</b>")
    row = page.locator(f'tr[data-job="{job["jobId"]}"]')
    expect(row).to_contain_text("Noon <b>news</b>")
    expect(row).to_contain_text("Pending")
    bench.client.post(f"/api/jobs/{job['jobId']}/transitions", json=immediate("Start"))
    expect(row).to_contain_text("Running")
    expect(page.locator("#counts a[data-state=Running]")).to_contain_text("1")
    assert dashboard.complaints == []


def test_the_filter_is_the_api_s_and_stands_in_the_address(dashboard: Dashboard) -> None:
    page, bench = dashboard.page, dashboard.bench
    bench.submit(on_event("Start"), name="one", clientData={"desk": "news"})
    bench.submit(on_event("Start"), name="two", clientData={"desk": "sport"})
    page.goto(dashboard.url)
    page.keyboard.press("/")
    page.keyboard.type('clientData.desk == "sport"')
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows")).to_contain_text("two")
    expect(page).to_have_url(re.compile("filter=clientData.desk"))
    page.goto(dashboard.url + "/?filter=((")
    expect(page.locator("#problem")).to_contain_text("column")


def test_a_job_shows_where_it_is_and_is_steered_by_buttons(dashboard: Dashboard) -> None:
    page, bench = dashboard.page, dashboard.bench
    job = bench.submit(immediate("Start"), on_event("Finish", "bell"), name="Noon")
    page.goto(f"{dashboard.url}/jobs/{job['jobId']}")
    expect(page.locator("h1")).to_have_text("Noon")
    expect(page.locator("#state")).to_contain_text("Running")
    expect(page.locator("#diagram .here")).to_have_text("Running")
    expect(page.locator("#waiting")).to_contain_text("waits for the event bell")
    expect(page.locator("#history tr")).to_have_count(1)
    start = page.get_by_role("button", name="Start")
    expect(start).to_be_disabled()
    expect(start).to_have_attribute("title", "the job is Running already")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_contain_text("Paused")
    expect(page.locator("#diagram .here")).to_have_text("Paused")
    expect(page.locator('#timeline [data-band="Running"]')).to_have_count(1)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#state")).to_contain_text("Running")
    page.get_by_role("button", name="Finish").click()
    expect(page.locator("#state")).to_contain_text("Finished")
    for verb in ("Start", "Pause", "Finish", "Cancel"):
        expect(page.get_by_role("button", name=verb)).to_be_disabled()
    expect(page.get_by_role("button", name="Cancel")).to_have_attribute(
        "title", "a job that is Finished can't be asked to Cancel"
    )
    expect(page.locator("#history tr")).to_have_count(4)
    assert dashboard.complaints == []


def test_cancelling_asks_first(dashboard: Dashboard) -> None:
    page, bench = dashboard.page, dashboard.bench
    job = bench.submit(immediate("Start"))
    page.goto(f"{dashboard.url}/jobs/{job['jobId']}")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#state")).to_contain_text("Running")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#state")).to_contain_text("Cancelled")


def test_the_log_is_followed(dashboard: Dashboard) -> None:
    page, bench = dashboard.page, dashboard.bench
    job_id = bench.submit(immediate("Start"))["jobId"]
    log = bench.settings.worker_log(job_id)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("first line\n")
    page.goto(f"{dashboard.url}/jobs/{job_id}")
    expect(page.locator("#log")).to_contain_text("first line")
    with log.open("a") as file:
        file.write("second line\n")
    expect(page.locator("#log")).to_have_text("first line\nsecond line\n")


def test_with_keys_people_sign_in_and_a_viewer_is_told_what_is_missing(dashboard: Dashboard) -> None:
    page, bench = dashboard.page, dashboard.bench
    job_id = bench.submit(immediate("Start"))["jobId"]
    key = bench.key("viewer")
    page.goto(f"{dashboard.url}/jobs/{job_id}")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#state")).to_contain_text("Running")
    expect(page.locator("#live")).to_have_text("live")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#problem")).to_contain_text("operator")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(dashboard: Dashboard, scheme: str) -> None:
    page = dashboard.page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(dashboard.url)
    ratio = page.evaluate(
        """() => {
        const light = (rgb) => rgb.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
          .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
          .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const style = getComputedStyle(document.body);
        const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
      }"""
    )
    assert ratio > 7


def test_a_job_that_is_not_there_offers_no_verbs(dashboard: Dashboard) -> None:
    page = dashboard.page
    page.goto(f"{dashboard.url}/jobs/nothing")
    expect(page.locator("#problem")).to_contain_text("nothing")
    for verb in ("Start", "Pause", "Finish", "Cancel"):
        expect(page.get_by_role("button", name=verb)).to_be_disabled()


def test_the_pages_fit_a_phone(dashboard: Dashboard) -> None:
    page = dashboard.page
    page.set_viewport_size({"width": 375, "height": 667})
    job = dashboard.bench.submit(immediate("Start"), name="A name that is rather long for a small screen")
    for place, heading in (("/", "#rows tr"), (f"/jobs/{job['jobId']}", "#history tr")):
        page.goto(dashboard.url + place)
        expect(page.locator(heading)).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
