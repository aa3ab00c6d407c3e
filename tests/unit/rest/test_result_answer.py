"""Results of conversions over HTTP: ranges and conditions, as of any file."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest
from flask import Flask, Response
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from jobengine.errors import RevisionMismatch
from jobengine.rest.rules.outcome import Outcome
from jobengine.rest.rules.result_answer import CHUNK_BYTES, answer_result

FILM = bytes(range(256)) * (CHUNK_BYTES // 128)
MADE = Outcome(False, None, "video/mp4", 200, {"Beam-Gaps": "[]"})


@pytest.fixture
def film(tmp_path: Path) -> IO[bytes]:
    path = tmp_path / "film"
    path.write_bytes(FILM)
    return path.open("rb")


def answer(film: IO[bytes], outcome: Outcome = MADE, method: str = "GET", **headers: str) -> Response:
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    with Flask(__name__).test_request_context("/", method=method, headers=given):
        response = answer_result(outcome, film)
        response.direct_passthrough = False
        response.get_data()
        response.close()
    assert film.closed
    return response


def tag_of(film: IO[bytes]) -> str:
    with open(film.name, "rb") as again:
        return answer(again).headers["ETag"]


def test_the_whole_says_that_parts_may_be_had(film: IO[bytes]) -> None:
    whole = answer(film)

    assert (whole.status_code, whole.data) == (200, FILM)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Beam-Gaps"] == "[]"


@pytest.mark.parametrize(
    ("wanted", "first", "end"),
    [
        ("bytes=0-", 0, len(FILM)),
        ("bytes=5-9", 5, 10),
        (f"bytes={CHUNK_BYTES - 1}-{CHUNK_BYTES}", CHUNK_BYTES - 1, CHUNK_BYTES + 1),
        ("bytes=-7", len(FILM) - 7, len(FILM)),
        ("bytes=9-999999999", 9, len(FILM)),
    ],
)
def test_a_range_is_sent_alone(film: IO[bytes], wanted: str, first: int, end: int) -> None:
    part = answer(film, Range=wanted)

    assert (part.status_code, part.data) == (206, FILM[first:end])
    assert part.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(FILM)}"
    assert part.headers["Content-Length"] == str(end - first)


@pytest.mark.parametrize("wanted", ["bytes=0-1,4-5", "bytes=9-5", "pages=1-2"])
def test_what_is_no_single_range_means_the_whole(film: IO[bytes], wanted: str) -> None:
    assert answer(film, Range=wanted).data == FILM


def test_a_range_behind_the_end_is_refused(film: IO[bytes]) -> None:
    with pytest.raises(RequestedRangeNotSatisfiable) as refused:
        answer(film, Range=f"bytes={len(FILM)}-")
    assert refused.value.length == len(FILM)
    assert film.closed


def test_a_part_of_another_result_is_the_whole(film: IO[bytes]) -> None:
    tag = tag_of(film)

    with open(film.name, "rb") as again:
        assert answer(again, Range="bytes=0-1", If_Range=tag).status_code == 206
    assert answer(film, Range="bytes=0-1", If_Range='"other"').data == FILM


def test_conditions_are_those_of_the_bytes(film: IO[bytes]) -> None:
    tag = tag_of(film)

    with open(film.name, "rb") as again:
        known = answer(again, If_None_Match=tag)
    assert (known.status_code, known.headers["ETag"]) == (304, tag)
    with pytest.raises(RevisionMismatch, match="entity tag"):
        answer(film, If_Match='"other"')
    assert film.closed


def test_a_result_that_is_no_success_is_sent_as_it_is(film: IO[bytes]) -> None:
    told = answer(film, Outcome(False, None, "text/plain", 404, {}), Range="bytes=0-1")

    assert (told.status_code, told.data) == (404, FILM)
    assert "Accept-Ranges" not in told.headers


def test_head_tells_of_the_whole(film: IO[bytes]) -> None:
    told = answer(film, method="HEAD", Range="bytes=0-1")

    assert (told.status_code, told.headers["Content-Length"]) == (200, str(len(FILM)))
