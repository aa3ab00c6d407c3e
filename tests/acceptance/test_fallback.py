"""A payload's way back, on a real service: the steps that the authors of Content Beam wrote down.

1. Making a content makes its equivalent in a folder. 2. Each payload that comes is copied there. 3. As long
as it is cached it is served. 4. When it has expired, the copy is found, kept again and served, and the next
ones are warmed; and what is a rendition is made of its source.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from jobengine.clock import SystemClock, to_us
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.model.element import PayloadState
from jobengine.ports.contents import DropPayloads
from tests.acceptance.films import bring_in, contents_url, make_film
from tests.acceptance.stores import STORES, service_on
from tests.integration.media.films import probe
from tests.services import Service
from tests.waiting import wait_until

STREAM = {"type": "Stream", "index": 0, "time_base": [1, 25], "codecpar": {"codec_type": "video"}}
PAYLOADS = {f"packet_{n}": bytes([n]) * (100 + n) for n in range(5)}


@pytest.fixture(scope="module", params=STORES)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on each store; what a test leaves there, `http` removes."""
    with service_on(request.param, tmp_path_factory.mktemp("fallback") / "data") as service:
        yield service.start()


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """A client of a service whose rules for copies are in force, and which is empty again afterwards."""
    with service.http() as client:
        patch = {name: {"enabled": True} for name in ("equivalents", "fileStore", "dataMissing")}
        patch["renditions"] = {"enabled": False}
        headers = {"Content-Type": "application/merge-patch+json"}
        client.patch("/api/rules", json=patch, headers=headers).raise_for_status()
        yield client
        over = "isActive == false"
        wait_until(
            lambda: (
                client.get("/api/jobs", params={"filter": "isActive == true", "count": "1"}).json()
                == {"count": 0}
            ),
            "all jobs are over",
        )
        client.delete("/api/jobs", params={"filter": over, "limit": 1000}).raise_for_status()
        for name in client.get("/beams?limit=1000").json():
            client.delete(f"/beams/{quote(name, safe='')}").raise_for_status()
        shutil.rmtree(service.media / "copies", ignore_errors=True)


def drop_payloads(service: Service, name: str) -> None:
    """Let every payload of a content go, as time would."""
    with closing(open_store(contents_url(service))) as store:
        content = Catalogue(store, SystemClock()).get(name)
        store.commit(
            [DropPayloads(content.stream_number(i), -(2**62), 2**62) for i in range(len(content.streams))]
        )


def states(service: Service, name: str) -> list[PayloadState]:
    with closing(open_store(contents_url(service))) as store:
        content = Catalogue(store, SystemClock()).get(name)
        return [each.payload for each in store.range(content.stream_number(0), -(2**62), 2**62)]


def put(http: httpx.Client, name: str) -> None:
    """A content of five packets, as a client would write them."""
    http.post("/beams", json={"type": "format", "url": name, "streams": [STREAM]}).raise_for_status()
    fill(http, name)


def fill(http: httpx.Client, name: str) -> None:
    """The five packets, into a content that is there."""
    for number, (element, payload) in enumerate(PAYLOADS.items()):
        document = {"type": "Packet", "stream_index": 0, "pts": number, "size": len(payload)}
        http.put(f"/beams/{name}/0/{element}", json=document).raise_for_status()
        octets = {"Content-Type": "application/octet-stream"}
        http.put(f"/beams/{name}/0/{element}/data", content=payload, headers=octets).raise_for_status()


def jobs_of(http: httpx.Client, rule: str) -> list[Any]:
    found: list[Any] = http.get("/api/jobs", params={"filter": f'clientData.rule == "{rule}"'}).json()
    return found


def is_copied(copies: Path) -> bool:
    """Whether every payload is there, and what is said of it, which is written after it."""
    stream = copies / "stream_0"
    return all((stream / f"{name}{end}").exists() for name in PAYLOADS for end in ("_0.raw", ".json"))


def test_the_four_steps_of_the_documented_flow(service: Service, http: httpx.Client) -> None:
    copies = service.media / "copies" / "news"
    http.post("/beams", json={"type": "format", "url": "news", "streams": [STREAM]}).raise_for_status()
    wait_until(lambda: http.get("/beams/news/equivalent").json() == [copies.as_uri()], "it is related")
    twin = http.get(f"/beams/{quote(copies.as_uri(), safe='')}").json()
    assert twin == {**http.get("/beams/news").json(), "url": copies.as_uri()}

    fill(http, "news")
    wait_until(lambda: is_copied(copies), "every payload is copied")
    described = json.loads((copies / "stream_0" / "packet_1.json").read_text())
    assert (described["pts"], described["size"]) == (1, len(PAYLOADS["packet_1"]))

    assert http.get("/beams/news/0/packet_1/data").content == PAYLOADS["packet_1"]
    assert jobs_of(http, "dataMissing") == []

    drop_payloads(service, "news")
    before_us = to_us(SystemClock().now())
    answer = http.get("/beams/news/0/packet_1/data")

    assert (answer.status_code, answer.content) == (200, PAYLOADS["packet_1"])
    assert answer.headers["Beam-PTS"] == "1"
    gone, here = PayloadState.GONE, PayloadState.HERE
    assert states(service, "news") == [gone, here, here, here, gone]
    (job,) = jobs_of(http, "dataMissing")
    assert job["currentState"] == "Finished"

    assert http.get("/beams/news/0/packet_2.raw").content == PAYLOADS["packet_2"]
    assert len(jobs_of(http, "dataMissing")) == 1
    with closing(open_store(contents_url(service))) as store:
        store.expire(before_us + timedelta(seconds=60) // timedelta(microseconds=1))
        content = Catalogue(store, SystemClock()).get("news")
        assert store.range(content.stream_number(0), 1, 1)[0].payload is here
        store.expire(before_us + timedelta(seconds=300) // timedelta(microseconds=1))
        assert store.range(content.stream_number(0), 1, 1)[0].payload is gone


def test_what_nobody_has_stays_missing(service: Service, http: httpx.Client) -> None:
    put(http, "news")
    copies = service.media / "copies" / "news"
    wait_until(lambda: is_copied(copies), "every payload is copied")
    (copies / "stream_0" / "packet_1_0.raw").unlink()
    (copies / "stream_0" / "packet_2_0.raw").write_bytes(b"short")
    drop_payloads(service, "news")

    answers = [http.get(f"/beams/news/0/packet_{n}/data").status_code for n in (1, 2, 3, 99)]

    assert answers == [404, 404, 200, 404]


def test_the_cheaper_equivalent_is_asked_first(service: Service, http: httpx.Client) -> None:
    put(http, "near")
    put(http, "news")
    copies = service.media / "copies" / "news"
    wait_until(lambda: is_copied(copies), "every payload is copied")
    http.post("/beams/near/equivalent/news").raise_for_status()
    (copies / "stream_0" / "packet_1_0.raw").write_bytes(b"x" * len(PAYLOADS["packet_1"]))
    drop_payloads(service, "news")

    assert http.get("/beams/news/0/packet_1/data").content == PAYLOADS["packet_1"]


@pytest.mark.needs("ffmpeg")
def test_a_rendition_is_made_just_in_time(service: Service, http: httpx.Client, tmp_path: Path) -> None:
    content = bring_in(service, make_film(tmp_path / "film.mp4"), "film")
    base = (content.streams[0] or {})["time_base"]
    raw = {"codec_type": "video", "name": "rawvideo", "width": 320, "height": 180, "format": "yuv420p"}
    small = {"codec_type": "video", "name": "mjpeg", "width": 80, "height": 45}
    for name, codec in (("frames", raw), ("small", small)):
        stream = {"type": "Stream", "index": 0, "time_base": base, "codecpar": codec}
        http.post("/beams", json={"type": "format", "url": name, "streams": [stream]}).raise_for_status()
        http.post(f"/beams/{name}/rendition/film", json={"stream_map": {"0": "video"}}).raise_for_status()

    frame = http.get("/beams/frames/0/frame_17920/data")
    assert frame.status_code == 200, frame.text
    assert sum(int(size) for size in frame.headers["Beam-Buf-Sizes"].strip("[]").split(",")) == len(
        frame.content
    )
    told = http.get("/beams/frames/0/frame_17920").json()
    assert (told["width"], told["height"], told["format"]) == (320, 180, "yuv420p")

    picture = http.get("/beams/small/0/packet_17920/data")
    assert picture.content[:2] == b"\xff\xd8"
    assert http.get("/beams/small/0/packet_17921/data").status_code == 404
    assert http.get("/beams/small/0/packet_17920.jpg").content[:2] == b"\xff\xd8"
    assert len(jobs_of(http, "dataMissing")) == 3


@pytest.mark.needs("ffmpeg")
def test_a_film_in_other_codecs_is_made_as_it_is_read(
    service: Service, http: httpx.Client, tmp_path: Path
) -> None:
    bring_in(service, make_film(tmp_path / "film.mp4"), "film")
    small = {"codec_type": "video", "name": "h264", "width": 160, "height": 90}
    mono = {"codec_type": "audio", "name": "aac", "sample_rate": 44_100, "channels": 1}
    streams = [
        {"type": "Stream", "index": 0, "time_base": [1, 90_000], "codecpar": small},
        {"type": "Stream", "index": 1, "time_base": [1, 44_100], "codecpar": mono},
    ]
    http.post("/beams", json={"type": "format", "url": "small", "streams": streams}).raise_for_status()
    http.post("/beams/small/rendition/film").raise_for_status()

    paths = [f"/beams/small/video/packet_{3600 * n}/data" for n in (7, 8, 9, 0, 40, 30)]
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = list(pool.map(http.get, paths))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == len(paths)
    described = http.get("/beams/small/video/first-last?limit=100").json()
    assert [each["pts"] for each in described] == [3600 * n for n in range(50)]
    assert [each.get("flags") for each in described] == [{"KEY": True}] + [None] * 49

    assert len(http.get("/beams/small/video/2s-2.5s?limit=100").json()) == 13
    assert http.get("/beams/small/audio/0s-2.9s?limit=1000").status_code == 200
    assert http.get("/beams/small/audio/packet_0/data").status_code == 200
    (tmp_path / "small.mp4").write_bytes(http.get("/beams/small/first-last.mp4").content)
    pictures, sound = probe(tmp_path / "small.mp4", "codec_name,nb_read_frames")
    assert pictures == "h264,75"
    # What lies behind the range is made as far as the source is known to be whole.
    assert 2.9 * 44_100 // 1024 < int(sound.removeprefix("aac,")) <= 3 * 44_100 // 1024 + 2


@pytest.mark.needs("ffmpeg")
def test_a_transformation_is_run_as_it_is_read(service: Service, http: httpx.Client, tmp_path: Path) -> None:
    bring_in(service, make_film(tmp_path / "film.mp4"), "film")
    codec = {"codec_type": "video", "name": "h264"}
    stream = {"type": "Stream", "index": 0, "time_base": [1, 90_000], "codecpar": codec}
    http.post("/beams", json={"type": "format", "url": "title", "streams": [stream]}).raise_for_status()
    recipe = {"video": "drawbox=x=0:y=0:w=80:h=180:color=white:t=fill"}
    bounds = {"start_time": 1_000_000, "duration": 1_000_000}
    body = {"sources": ["film"], "recipe": recipe, **bounds}
    http.post("/beams/title/transformation", json=body).raise_for_status()

    moments = [f"/beams/title/video/packet_{3600 * n}/data" for n in (25, 30, 40, 49)]
    with ThreadPoolExecutor(len(moments)) as pool:
        answers = list(pool.map(http.get, moments))
    assert {answer.status_code for answer in answers} == {200}
    assert http.get(f"/beams/title/video/packet_{3600 * 50}/data").status_code == 404
    (tmp_path / "title.png").write_bytes(http.get("/beams/title/video/1.2s.png").content)
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "title.png"), "-f", "rawvideo"]
    shown = subprocess.run([*command, "-pix_fmt", "gray", "-"], check=True, capture_output=True).stdout
    rows = [shown[begin : begin + 320] for begin in range(0, len(shown), 320)]
    assert min(min(row[:76]) for row in rows) > 230
    assert min(min(row[90:]) for row in rows) < 100


def test_a_rendition_is_made_just_in_case_as_soon_as_its_source_arrives(
    service: Service, http: httpx.Client
) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    patch = {"renditions": {"enabled": True}, "dataMissing": {"enabled": False}}
    http.patch("/api/rules", json=patch, headers=headers).raise_for_status()
    for name, base in (("source", [1, 25]), ("copy", [1, 50])):
        stream = {**STREAM, "time_base": base, "codecpar": {"codec_type": "video", "name": "h264"}}
        http.post("/beams", json={"type": "format", "url": name, "streams": [stream]}).raise_for_status()
    http.post("/beams/copy/rendition/source", json={"making": "justInCase"}).raise_for_status()

    document = {"type": "Packet", "stream_index": 0, "pts": 3, "size": 4}
    http.put("/beams/source/0/packet_3", json=document).raise_for_status()
    octets = {"Content-Type": "application/octet-stream"}
    http.put("/beams/source/0/packet_3/data", content=b"abcd", headers=octets).raise_for_status()

    wait_until(lambda: http.get("/beams/copy/0/packet_6").status_code == 200, "it has been made")
    assert http.get("/beams/copy/0/packet_6/data").content == b"abcd"
