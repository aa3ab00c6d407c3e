"""Large, doubled, wrong and unreadable: a clear answer, and nothing else changes."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jobengine.client import Client
from jobengine.errors import DocumentError, IdempotencyConflict
from tests.acceptance.documents import (
    RATE_HZ,
    after,
    assert_counts,
    at_once,
    pipe,
    recording,
    samples_of,
    timeline,
)
from tests.acceptance.observing import history_of, output_of, reach
from tests.ports import free_port
from tests.services import Service
from tests.waiting import PATIENCE_S, wait_until

MANY = 10_000


def test_a_job_may_have_ten_thousand_transitions(service: Service) -> None:
    steps = [after(1) for _ in range(MANY - 1)]
    job = service.client.jobs.submit(recording("many", *steps[1:], after(1, "Finish"), live=False))
    reach(job, "Finished")
    rows = history_of(service, job)
    assert [r["samples"] for r in rows] == [n * RATE_HZ // 1000 for n in range(MANY)]
    assert len(samples_of(output_of(job))) == (MANY - 1) * RATE_HZ // 1000
    assert len(job.history()) == MANY


def test_a_document_of_fifty_megabytes_is_refused(service: Service) -> None:
    body = b'{"name": "' + b"x" * 50_000_000 + b'", "transitions": []}'
    with service.http() as http:
        answer = http.post("/api/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "too-large"
    wait_until(service.is_ready, "the service is ready as before")


def test_posts_with_one_key_make_one_job_even_when_they_race(service: Service) -> None:
    document = timeline("once", at_once("Start"))
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: service.client.jobs.submit(document, "the key"), range(16)))
    assert len({job.id for job in jobs}) == 1
    assert service.client.jobs.count('name == "once"') == 1
    assert len(history_of(service, jobs[0])) == 1
    with pytest.raises(IdempotencyConflict):
        service.client.jobs.submit(timeline("another", at_once("Start")), "the key")


@pytest.mark.parametrize("place", ["/etc/passwd", "../../../etc/passwd", "a/../../../b.wav"])
def test_a_path_outside_the_roots_is_refused_with_its_pointer(service: Service, place: str) -> None:
    count = service.client.jobs.count()
    with pytest.raises(DocumentError) as refused:
        service.client.jobs.submit(timeline("outside", at_once("Start", pipe(place))))
    (fault,) = refused.value.faults
    assert fault.pointer == "/transitions/0/jobDescription/pipeSpec/outputGraph/0/filter/1/filePath", fault
    assert service.client.jobs.count() == count


def test_nothing_is_written_beside_the_database(service: Service) -> None:
    place = service.media.parent / "jobengine.sqlite3-journal"
    with pytest.raises(DocumentError, match="outside the allowed folders"):
        service.client.jobs.submit(timeline("beside", at_once("Start", pipe(str(place)))))


def test_a_link_out_of_the_roots_is_not_followed(service: Service, tmp_path: Path) -> None:
    (service.media / "way-out").symlink_to(tmp_path)
    job = service.client.jobs.submit(
        timeline("link", at_once("Start", pipe("way-out/stolen.wav", live=False)))
    )
    reach(job, "Error")
    assert job.message
    assert not list(tmp_path.iterdir())


def broken_source(kind: str, path: Path) -> None:
    soundfile.write(path, np.zeros(RATE_HZ), RATE_HZ, subtype="PCM_16", format="WAV")
    if kind == "missing":
        path.unlink()
    elif kind == "truncated":
        os.truncate(path, 40_000)
    elif kind == "noise":
        path.write_bytes(os.urandom(10_000))
    elif kind == "empty":
        os.truncate(path, 0)
    elif kind == "folder":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("kind", ["missing", "truncated", "noise", "empty", "folder"])
def test_a_source_that_cannot_be_read_ends_the_job_with_a_sentence(service: Service, kind: str) -> None:
    name = f"{kind}-source.wav"
    broken_source(kind, service.media / name)
    source = {"name": "FileReader", "filePath": name}
    job = service.client.jobs.submit(timeline(kind, at_once("Start", pipe(f"{kind}.wav", source=source))))
    reach(job, "Error")
    assert name in job.message
    assert "Traceback" not in job.message
    info = json.loads(history_of(service, job)[-1]["info"])
    assert (info["cause"], info["stage"]) == (job.message, "prepare")
    assert not (service.media / f"{kind}.wav").exists()


def test_an_existing_file_is_kept_and_the_real_path_is_told(service: Service) -> None:
    taken = service.media / "taken.wav"
    taken.write_bytes(b"somebody's")
    document = timeline("taken", at_once("Start", pipe("taken.wav", live=False)), after(100, "Finish"))
    paths = set()
    for _ in range(2):
        job = reach(service.client.jobs.submit(document), "Finished")
        assert_counts(samples_of(output_of(job)))
        paths.add(output_of(job))
    assert len(paths) == 2
    assert str(taken) not in paths
    assert taken.read_bytes() == b"somebody's"


def test_the_command_line_ends_with_the_agreed_codes(service: Service) -> None:
    url = ("--url", service.client.url)
    good = json.dumps(recording("by-hand", after(100, "Finish"), live=False))
    bad = json.dumps(recording("no-such", live=False)).replace('"WAVDest"', '"NoDest"')
    missing = json.dumps(
        timeline(
            "lost", at_once("Start", pipe("l.wav", source={"name": "FileReader", "filePath": "lost.wav"}))
        )
    )
    patient = ("--wait", "--timeout", str(PATIENCE_S))
    done = service.cli("job", "submit", "-", *patient, *url, stdin=good)
    assert done.returncode == 0, done.stderr
    job_id = done.stdout.split()[0]
    ended = {
        "finish a finished one": (("job", "finish", job_id), "", 5),
        "a job that fails": (("job", "submit", "-", *patient), missing, 7),
        "a wait too short": (
            ("job", "submit", "-", "--wait", "--timeout", "0.5"),
            json.dumps(timeline("slow", at_once("Start"))),
            8,
        ),
        "no such job": (("job", "show", "00000000-0000-7000-8000-000000000000"), "", 3),
        "a wrong document": (("job", "submit", "-", "--check"), bad, 2),
    }
    for what, (command, stdin, code) in ended.items():
        done = service.cli(*command, *url, stdin=stdin)
        assert done.returncode == code, f"{what}: {done.returncode} {done.stderr}"
        assert "Traceback" not in done.stderr
    nobody = service.cli("job", "list", "--url", f"http://127.0.0.1:{free_port()}")
    assert nobody.returncode == 6


def test_a_refused_document_leaves_nothing_behind(service: Service) -> None:
    counts = service.sql("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM transitions)")
    with Client(service.client.url) as client:
        for document in ({"name": 5}, {"transitions": [{"trigger": {"type": "Sometimes"}}]}):
            with pytest.raises(DocumentError):
                client.jobs.submit(document)
    assert service.sql("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM transitions)") == counts
