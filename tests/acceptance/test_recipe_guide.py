"""The guide to recipes, taken at its word: its package, its rule, its addresses, on a real service."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.services import Service
from tests.waiting import wait_until

GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "write-a-recipe.rst"
STREAM = {"type": "Stream", "index": 0, "time_base": [1, 25], "codecpar": {"codec_type": "video"}}
PAYLOADS = [bytes([n]) * 100 for n in range(5)]


def block(language: str) -> str:
    """The guide's one block of code in a language."""
    pattern = rf"^\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)"
    (found,) = re.findall(pattern, GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return re.sub(r"^   ", "", found, flags=re.MULTILINE)


def install(folder: Path) -> Path:
    """The guide's package, as pip would leave it, in a folder for PYTHONPATH."""
    points = block("ini").replace("jobengine.recipes =", "[jobengine.recipes]")
    points = re.sub(r"^\[options.entry_points\]\n", "", points)
    (folder / "mypackage").mkdir(parents=True)
    (folder / "mypackage" / "__init__.py").write_text("")
    (folder / "mypackage" / "digest.py").write_text(block("python"))
    about = folder / "mypackage-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(re.sub(r"^ +", "", points, flags=re.MULTILINE))
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service beside which the guide's package is installed."""
    folder = tmp_path_factory.mktemp("guide")
    service = Service(folder / "data")
    service.environment["PYTHONPATH"] = str(install(folder / "site"))
    try:
        yield service.start()
    finally:
        service.remove()


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx.Client]:
    """A client of a service that has the guide's rule and a content ``news`` of five packets."""
    with service.http() as client:
        client.put("/api/rules/digest", json=json.loads(block("json"))).raise_for_status()
        client.post("/beams", json={"type": "format", "url": "news", "streams": [STREAM]}).raise_for_status()
        for number, payload in enumerate(PAYLOADS):
            document = {"type": "Packet", "stream_index": 0, "pts": 250 + number, "size": len(payload)}
            client.put(f"/beams/news/0/packet_{250 + number}", json=document).raise_for_status()
            octets = {"Content-Type": "application/octet-stream"}
            path = f"/beams/news/0/packet_{250 + number}/data"
            client.put(path, content=payload, headers=octets).raise_for_status()
        yield client


def test_the_address_of_the_guide_answers(http: httpx.Client) -> None:
    answer = http.get("/beams/news/video/10s-20s.digest?algorithm=md5")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json"), answer.text
    digest = hashlib.md5(b"".join(PAYLOADS)).hexdigest()
    assert answer.json() == {"digest": digest}
    default = http.get("/beams/news/video/10s-20s.digest").json()
    assert default == {"digest": hashlib.sha256(b"".join(PAYLOADS)).hexdigest()}


def test_a_wrong_parameter_makes_no_job(http: httpx.Client) -> None:
    answer = http.get("/beams/news/video/10s-20s.digest?algorithm=crc")

    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert fault["parameter"] == "algorithm"
    assert "md5" in fault["detail"]
    assert http.get("/beams/news/video/50s-60s.digest").status_code == 404


def test_a_job_may_name_the_recipe_and_keep_its_result(service: Service, http: httpx.Client) -> None:
    spec = {"recipe": "digest", "source": [{"content": "news"}], "target": {"filePath": "digest.json"}}
    start = {"trigger": {"type": "Immediate", "requestedProcState": "Start"}}
    posted = {"transitions": [{**start, "jobDescription": {"convertSpec": spec}}]}
    job = http.post("/api/jobs", json=posted).json()

    over = f"/api/jobs/{job['jobId']}"
    wait_until(lambda: http.get(over).json()["currentState"] == "Finished", "the job has finished")
    kept = json.loads((service.media / "digest.json").read_text())
    assert kept == {"digest": hashlib.sha256(b"".join(PAYLOADS)).hexdigest()}
    passed = http.get(f"{over}/history").json()[-1]
    assert passed["streamPosition"]["pts"] == len(PAYLOADS)


def test_a_recipe_that_is_not_installed_is_refused_with_those_there_are(http: httpx.Client) -> None:
    answer = http.put("/api/rules/other", json={"pathPattern": "x", "recipe": "other"})

    assert answer.status_code == 422
    assert "there is no recipe 'other'; there are digest, jpeg," in answer.text
