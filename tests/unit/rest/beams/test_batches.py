"""Many elements in one request: all of them or none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from jobengine.ids import new_id
from tests.unit.rest.beams.beam import OCTETS, Beam, is_beam_error

NDJSON = "application/x-ndjson"
MIXED = "multipart/mixed; boundary=b"


def packet(pts: int | None = None, data: bytes | None = None, **members: Any) -> dict[str, Any]:
    document = {"type": "Packet", **members}
    if pts is not None:
        document["pts"] = pts
    if data is not None:
        document["data"] = base64.b64encode(data).decode()
    return document


def put_lines(beam: Beam, *documents: Any, to: str = "0/elements") -> TestResponse:
    body = "\n".join(
        document if isinstance(document, str) else json.dumps(document) for document in documents
    )
    return beam.put_data(to, body.encode(), NDJSON)


def part(content: bytes, media_type: str) -> bytes:
    return b"--b\r\nContent-Type: " + media_type.encode() + b"\r\n\r\n" + content + b"\r\n"


def mixed(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


def test_lines_bring_elements_with_their_payload(with_f: Beam) -> None:
    frame = {"type": "Frame", "pts": 3, "data": ["AAAA", "/w=="]}

    response = put_lines(with_f, packet(1, b"one"), "", packet(2), frame, "")

    assert (response.status_code, response.get_json()) == (200, {"created": 3, "replaced": 0, "repeated": 0})
    assert with_f.get("0/1-3").get_json() == [
        {"type": "Packet", "stream_index": 0, "pts": 1, "size": 3},
        {"type": "Packet", "stream_index": 0, "pts": 2},
        {"type": "Frame", "stream_index": 0, "pts": 3, "buf_sizes": [3, 1]},
    ]
    assert with_f.get("0/packet_1/data").data == b"one"
    assert with_f.get("0/packet_2/data").status_code == 404
    assert with_f.get("0/frame_3.raw_1").data == b"\xff"


def test_parts_bring_elements_with_their_payload(with_f: Beam) -> None:
    body = mixed(
        part(json.dumps(packet(1)).encode(), "application/json"),
        part(b"\r\n--x\r\n\r\n--", OCTETS),
        part(json.dumps(packet(2)).encode(), "application/json; charset=utf-8"),
        part(b'{"type": "Frame", "pts": 3, "buf_sizes": [2, 1]}', "application/json"),
        part(b"aa", OCTETS),
        part(b"b", OCTETS),
    )

    response = with_f.put_data("0/elements", body, MIXED)

    assert response.get_json() == {"created": 3, "replaced": 0, "repeated": 0}
    assert with_f.get("0/packet_1/data").data == b"\r\n--x\r\n\r\n--"
    assert with_f.get("0/frame_3/data").data == b"aab"


def test_the_mode_says_what_the_same_pts_means(with_f: Beam) -> None:
    put_lines(with_f, packet(1, b"old"))

    replaced = put_lines(with_f, packet(1, b"new"), packet(2))
    assert replaced.get_json() == {"created": 1, "replaced": 1, "repeated": 0}
    conflict = put_lines(with_f, packet(3), packet(1), to="0/elements?mode=create")
    assert is_beam_error(conflict, 409)
    appended = put_lines(with_f, packet(1, b"two"), to="0/elements?mode=append")
    assert appended.get_json() == {"created": 1, "replaced": 0, "repeated": 0}
    assert with_f.times("0/first-last") == [1, 1, 2]


def test_a_writer_may_repeat_itself(with_f: Beam) -> None:
    document = packet(1, b"x", id=new_id())

    answers = [put_lines(with_f, document, to="0/elements?mode=append").get_json() for _ in range(2)]

    assert [answer["created"] for answer in answers] == [1, 0]
    assert [answer["repeated"] for answer in answers] == [0, 1]


def test_elements_say_their_stream_where_the_address_means_all(with_f: Beam) -> None:
    response = put_lines(with_f, packet(1, stream_index=0), packet(2, stream_index=1), to="all/elements")

    assert response.get_json()["created"] == 2
    assert (with_f.times("0/first-last"), with_f.times("1/first-last")) == ([1], [2])
    assert is_beam_error(put_lines(with_f, packet(1), to="all/elements"), 400)
    assert is_beam_error(put_lines(with_f, packet(1, stream_index=2), to="all/elements"), 404)


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ([packet(1), "{"], "line 2, column 2"),
        ([packet(1), {"type": "Wibble"}], "/1/type"),
        ([packet(1), packet(2, stream_index=1)], "/1/stream_index"),
        ([packet(1), {"type": "Packet", "data": "%"}], "/1/data"),
        ([packet(1), {"type": "Packet", "data": "é"}], "/1/data: must be base64"),
        ([packet(1), {"type": "Packet", "data": 5}], "/1/data: must be text in base64, or a list of it"),
        ([packet(1), {"type": "Packet", "data": None}], "/1/data: must be text in base64"),
        ([packet(1), {"type": "Packet", "data": ["AA==", "AA=="]}], "/1/data"),
        ([packet(1), {"type": "Packet", "size": 2, "data": "AA=="}], "has 1 bytes, but 2 are declared"),
        (
            [packet(1), {"type": "Frame", "buf_sizes": [1, 2], "data": ["AA==", "AA=="]}],
            "/1/data: has 1 + 1 bytes, but 1 + 2 are declared",
        ),
    ],
)
def test_one_wrong_element_refuses_all(with_f: Beam, lines: list[Any], place: str) -> None:
    response = put_lines(with_f, *lines)

    assert is_beam_error(response, 400)
    assert place in response.get_json()["detail"]
    assert with_f.times("0/first-last") == 404


GOOD = part(b'{"type": "Packet", "pts": 1}', "application/json")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (mixed(part(b"x", OCTETS)), MIXED),
        (mixed(GOOD, part(b"x", "text/plain")), MIXED),
        (GOOD, MIXED),
        (GOOD + b"--b", MIXED),
        (b"wibble", MIXED),
        (b"", MIXED),
        (mixed(GOOD), "multipart/mixed"),
        (mixed(GOOD), "multipart/mixed; boundary=" + "x" * 71),
        (b"--b\r\nContent-Type: application/json\r\n--b--", MIXED),
        (mixed(GOOD), "multipart/form-data; boundary=b"),
        (b"{}", "application/json"),
    ],
)
def test_parts_that_cannot_be_told_apart_are_refused(with_f: Beam, body: bytes, content_type: str) -> None:
    assert is_beam_error(with_f.put_data("0/elements", body, content_type), 400)
    assert with_f.times("0/first-last") == 404


def test_an_empty_batch_changes_nothing(with_f: Beam) -> None:
    assert put_lines(with_f).get_json() == {"created": 0, "replaced": 0, "repeated": 0}
    assert with_f.put_data("0/elements", b"--b--", MIXED).get_json()["created"] == 0


def test_a_batch_has_a_bounded_size(with_f: Beam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(with_f.bench.settings.contents.__dict__, "max_batch_bytes", 10)

    assert is_beam_error(put_lines(with_f, packet(1)), 413)
