"""Requests that become jobs: pictures and films of a content, and everything that a recipe may answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.films import bring_in, make_film
from tests.acceptance.own_recipes import install
from tests.acceptance.stores import STORES, service_on
from tests.services import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.needs("ffmpeg")


@pytest.fixture(scope="module", params=STORES)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a film in it and a package of recipes installed, once on each store."""
    folder = tmp_path_factory.mktemp("conversions")
    with service_on(request.param, folder / "data") as service:
        service.environment["PYTHONPATH"] = str(install(folder / "site"))
        service.start()
        bring_in(service, make_film(folder / "film.mp4"), "news")
        yield service


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """A client whose rules are removed after the test."""
    with service.http() as client:
        yield client
        client.delete("/api/rules/own")


def rule(http: httpx.Client, do: str, **members: Any) -> None:
    """A rule for ``.own`` whose recipe does this."""
    parameters = {"do": do, **members.pop("parameters", {})}
    body = {"pathPattern": r"^/beams/(?P<what>[^/]+)/.*\.own$", "recipe": "own", "order": 1, **members}
    http.put("/api/rules/own", json={**body, "parameters": parameters}).raise_for_status()


def probed(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json"]
    answer = subprocess.run([*command, str(path)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize(
    "reference", ["1.4s", "first", "last", "36th", "packet_17920", "17900f", "0+3d", "00:00:01.400"]
)
def test_any_reference_to_one_element_is_a_picture(
    http: httpx.Client, tmp_path: Path, reference: str
) -> None:
    answer = http.get(f"/beams/news/video/{reference}.jpg?width=160&quality=70")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg"), answer.text
    (tmp_path / "a.jpg").write_bytes(answer.content)
    (stream,) = probed(tmp_path / "a.jpg")["streams"]
    assert (stream["width"], stream["height"]) == (160, 90)


@pytest.mark.parametrize("reference", ["1.42s", "1.43s"])
def test_a_picture_of_a_moment_is_the_one_on_show_then(http: httpx.Client, reference: str) -> None:
    answer = http.get(f"/beams/news/video/{reference}.jpg")

    assert answer.status_code == 200, answer.text
    assert answer.content == http.get("/beams/news/video/1.4s.jpg").content


def test_behind_the_end_there_is_no_picture_and_sound_has_none(http: httpx.Client) -> None:
    answers = [http.get(f"/beams/news/{which}.jpg") for which in ("video/3.5s", "audio/1s")]

    assert [answer.status_code for answer in answers] == [404, 400]
    assert "holds no pictures" in answers[1].json()["detail"]


def test_a_film_of_which_something_is_gone_has_a_hole_and_says_so(
    service: Service, http: httpx.Client, tmp_path: Path
) -> None:
    bring_in(service, service.data.parent / "film.mp4", "holed")
    sound = http.get("/beams/holed/audio/1.4s-1.6s?limit=100").json()
    for packet in sound[2:4]:
        http.delete(f"/beams/holed/audio/packet_{packet['pts']}/data").raise_for_status()

    answer = http.get("/beams/holed/1s-2s.mp4")

    assert answer.status_code == 200, answer.text
    assert json.loads(answer.headers["Beam-Gaps"]) == [[1, sound[2]["pts"], sound[3]["pts"]]]
    (tmp_path / "a.mp4").write_bytes(answer.content)
    assert [stream["codec_type"] for stream in probed(tmp_path / "a.mp4")["streams"]] == ["video", "audio"]
    assert "Beam-Gaps" not in http.get("/beams/holed/2.2s-2.4s.mp4").headers


def test_a_film_of_which_nothing_is_left_is_not_found(service: Service, http: httpx.Client) -> None:
    bring_in(service, service.data.parent / "film.mp4", "gone")
    for packet in http.get("/beams/gone/audio/first-last?limit=1000").json():
        http.delete(f"/beams/gone/audio/packet_{packet['pts']}/data").raise_for_status()

    assert http.get("/beams/gone/audio/1s-2s.wav").status_code == 404


def test_a_picture_is_exactly_the_frame_that_was_asked_for(
    service: Service, http: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(http.get("/beams/news/video/1.4s.png").content)
    film = service.data.parent / "film.mp4"

    def pixels(*source: str) -> bytes:
        command = [
            "ffmpeg",
            "-v",
            "error",
            *source,
            "-frames:v",
            "1",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "gray",
            "-",
        ]
        return subprocess.run(command, check=True, capture_output=True).stdout

    ours = pixels("-i", str(tmp_path / "a.png"))
    frames = {n: pixels("-i", str(film), "-vf", f"select=eq(n\\,{n})") for n in (34, 35, 36)}
    distance = {n: sum(abs(a - b) for a, b in zip(ours, frame, strict=True)) for n, frame in frames.items()}
    assert min(distance, key=lambda n: distance[n]) == 35


@pytest.mark.parametrize(
    ("path", "kinds", "seconds"),
    [
        ("all/1s-2s.mp4", ["video", "audio"], 1.0),
        ("1s-2s.mp4", ["video", "audio"], 1.0),
        ("all/first-last.mp4", ["video", "audio"], 3.0),
        ("all/1s-2s.mp4?streams=video", ["video"], 1.0),
        ("video/1s-2s.ts", ["video"], 1.0),
        ("audio/0.5s-2s.wav", ["audio"], 1.5),
    ],
)
def test_a_range_becomes_a_file_of_its_length(
    http: httpx.Client, tmp_path: Path, path: str, kinds: list[str], seconds: float
) -> None:
    answer = http.get(f"/beams/news/{path}")

    assert answer.status_code == 200, answer.text
    (tmp_path / "a").write_bytes(answer.content)
    found = probed(tmp_path / "a")
    assert [stream["codec_type"] for stream in found["streams"]] == kinds
    assert float(found["format"]["duration"]) == pytest.approx(seconds, abs=0.15)


def test_a_part_of_a_film_is_that_of_the_whole(http: httpx.Client) -> None:
    whole = http.get("/beams/news/1s-2s.mp4")

    part = http.get(
        "/beams/news/1s-2s.mp4", headers={"Range": "bytes=100-299", "If-Range": whole.headers["ETag"]}
    )

    assert (part.status_code, part.content) == (206, whole.content[100:300])
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(whole.content)}"
    assert len(part.headers.get_list("Date")) == 1


def test_each_firing_is_a_job_with_its_history(http: httpx.Client) -> None:
    http.get("/beams/news/video.txt").raise_for_status()

    (job,) = http.get("/api/jobs", params={"filter": 'clientData.rule == "txt"', "limit": 1}).json()
    assert (job["currentState"], job["kind"]) == ("Finished", "convert")
    last = http.get(f"/api/jobs/{job['jobId']}/history").json()[-1]
    assert last["info"]["result"]["mediaType"].startswith("text/plain")


def test_a_job_may_keep_its_result_in_a_file(service: Service, http: httpx.Client) -> None:
    spec = {
        "recipe": "mp4",
        "source": [{"content": "news", "stream": "all", "reference": "1s-2s"}],
        "target": {"filePath": "cut.mp4"},
    }
    start = {"trigger": {"type": "Immediate", "requestedProcState": "Start"}}
    job = http.post(
        "/api/jobs", json={"transitions": [{**start, "jobDescription": {"convertSpec": spec}}]}
    ).json()

    over = f"/api/jobs/{job['jobId']}"
    wait_until(lambda: http.get(over).json()["currentState"] == "Finished", "the job has finished")
    (output,) = http.get(f"/api/jobs/{job['jobId']}/outputs").json()
    assert (output["path"], output["closed"]) == (str(service.media / "cut.mp4"), True)
    assert len(probed(service.media / "cut.mp4")["streams"]) == 2


def test_an_object_is_answered_as_json(http: httpx.Client) -> None:
    rule(http, "object")

    answer = http.get("/beams/a%20b/x.own")

    assert (answer.status_code, answer.json()) == (200, {"groups": {"what": "a b"}})


def test_status_type_and_headers_are_the_recipes(http: httpx.Client) -> None:
    rule(http, "teapot")

    answer = http.get("/beams/a/x.own")

    assert (answer.status_code, answer.text) == (418, "short and stout")
    assert (answer.headers["content-type"], answer.headers["x-spout"]) == ("text/plain", "here")
    assert http.head("/beams/a/x.own").status_code == 418


@pytest.mark.parametrize("do", ["decline", "nothing"])
def test_who_has_nothing_to_say_leaves_it_to_the_service(http: httpx.Client, do: str) -> None:
    rule(http, do)

    assert http.get("/beams/news/video/x.own").status_code == 400


@pytest.mark.parametrize(("do", "status"), [("raise", 500), ("miss", 404), ("crash", 500)])
def test_a_failure_is_told_and_may_have_its_own_status(http: httpx.Client, do: str, status: int) -> None:
    rule(http, do)

    answer = http.get("/beams/a/x.own")

    assert (answer.status_code, answer.json()["statusCode"]) == (status, status)
    assert "x.own" not in answer.json()["message"]


@pytest.mark.parametrize("do", ["count", "hang"])
def test_past_the_limit_the_answer_is_504_and_the_job_is_over(http: httpx.Client, do: str) -> None:
    rule(http, do, timeoutMs=400)

    assert http.get("/beams/a/x.own").status_code == 504

    (job,) = http.get("/api/jobs", params={"filter": 'clientData.rule == "own"', "limit": 1}).json()
    over = f"/api/jobs/{job['jobId']}"
    wait_until(lambda: not http.get(over).json()["isActive"], "the job has ended")


def test_identical_requests_share_one_job(http: httpx.Client, tmp_path: Path) -> None:
    """One at a time: a request that comes when the answer is made already gets another."""
    rule(http, "slow", parameters={"marks": str(tmp_path / "marks")})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(http.get, ["/beams/a/x.own"] * 6 + ["/beams/b/x.own"] * 2))

    assert [answer.text for answer in answers] == ["slow"] * 8
    marks = [line.split() for line in (tmp_path / "marks").read_text().splitlines()]
    for path in ("/beams/a/x.own", "/beams/b/x.own"):
        words = [word for marked, word in marks if marked == path]
        assert words
        assert words == ["begun", "made"] * (len(words) // 2)


def test_nothing_is_left_of_results_that_were_fetched(service: Service, http: httpx.Client) -> None:
    http.get("/beams/news/video/1s.jpg").raise_for_status()

    wait_until(lambda: not list((service.data / "results").iterdir()), "the result is removed")


def test_a_rule_behind_the_routes_waits_for_nothing_if_told_so(http: httpx.Client, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    rule(http, "nothing", parameters={"marks": str(marks)}, postRoute=True, respond=False, statusCode=400)

    assert http.get("/beams/news/video/x.own").status_code == 400
    wait_until(lambda: marks.exists() and marks.read_text(), "the job has run")
