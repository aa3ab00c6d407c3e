"""Cases E: elements put, appended and removed."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from jobengine.contents.catalogue import Catalogue
from jobengine.ids import new_id
from jobengine.ports.contents import DropStream
from tests.unit.rest.beams.beam import K_BYTES, Beam, K, R, is_beam_error
from tests.unit.rest.bench import CLOCK, Bench, make_bench

K0 = {**K, "stream_index": 0}
FRAME = {**R, "buf_sizes": [4, 2, 2]}


def test_e1_and_e2_a_packet_is_stored_then_replaced(with_f: Beam) -> None:
    first = with_f.put("stream_0/packet_42", K0)
    assert (first.status_code, first.get_json()) == (201, K0)
    assert first.headers["Location"] == "/beams/test_url/stream_0/packet_42"
    assert with_f.get("0/packet_42").get_json() == K0

    for path in ("0/packet_42", "video/packet_42", "stream_0/42", "default/packet_42.json", "0/packet_042"):
        changed = {**K0, "duration": 50}
        again = with_f.put(path, changed)
        assert (again.status_code, again.get_json()) == (200, changed)
    assert with_f.get("0/first-last").get_json() == [{**K0, "duration": 50}]


def test_an_element_that_is_replaced_keeps_its_id_and_the_answer_says_which(with_f: Beam) -> None:
    first, second = {**K0, "id": str(UUID(int=1))}, {**K0, "id": str(UUID(int=2)), "duration": 50}
    assert with_f.put("0/packet_42", first).get_json() == first
    assert with_f.put("0/packet_42", second).get_json() == {**second, "id": first["id"]}


def test_an_element_is_put_only_where_there_is_none_if_the_client_says_so(with_f: Beam) -> None:
    only_new = {"If-None-Match": "*"}
    assert with_f.put("0/packet_42", K0, headers=only_new).status_code == 201

    assert is_beam_error(with_f.put("0/packet_42", {**K0, "duration": 50}, headers=only_new), 412)

    assert with_f.get("0/packet_42").get_json() == K0
    assert with_f.put("0/packet_43", {**K0, "pts": 43}, headers=only_new).status_code == 201


@pytest.mark.parametrize("condition", ["If-Match", "If-None-Match"])
def test_conditions_on_elements_that_can_not_be_looked_at_are_refused(with_f: Beam, condition: str) -> None:
    headers = {condition: '"1-1"'}
    with_f.put("0/packet_42", K0)
    refused = [
        with_f.put("0/packet_42", {**K0, "duration": 50}, headers=headers),
        with_f.client.post("/beams/test_url/0", json={**K0, "pts": 43}, headers=headers),
        with_f.client.delete("/beams/test_url/0/packet_42", headers=headers),
        with_f.put("0/elements", data=b"", content_type="application/x-ndjson", headers=headers),
    ]

    assert all(is_beam_error(response, 400) for response in refused)
    assert ["If-None-Match: *" in response.get_json()["message"] for response in refused] == [
        True,
        False,
        False,
        False,
    ]
    assert with_f.get("0/first-last").get_json() == [K0]


@pytest.mark.parametrize(
    ("path", "document", "pointer"),
    [
        ("0/packet_42", FRAME, "/type"),
        ("0/frame_42", K0, "/type"),
        ("0/packet_42", {"type": "Wibble"}, "/type"),
        ("0/packet_42", [], ""),
        ("0/packet_42", "text", ""),
        ("0/packet_42", {**K0, "pts": 43}, "/pts"),
        ("0/42", {**K0, "pts": 43}, "/pts"),
        ("0/packet_42", K, "/stream_index"),
        ("video/packet_42", K, "/stream_index"),
        ("0/packet_42", {**K0, "data": "AAAA"}, "/data"),
        ("0/packet_42", {**K0, "size": -1}, "/size"),
        ("0/packet_42", {**K0, "dts": 2**63}, "/dts"),
    ],
)
def test_e4_what_does_not_fit_its_address_is_refused(
    with_f: Beam, path: str, document: Any, pointer: str
) -> None:
    response = with_f.put(path, document)

    assert is_beam_error(response, 400)
    assert response.get_json()["errors"][0]["pointer"] == pointer
    assert with_f.times("0/first-last") == 404


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"{", "application/json"), (b'{"type": "Packet"}', "text/plain"), (b'{"type": "Packet"}', "")],
)
def test_e5_other_bodies_are_refused(with_f: Beam, body: bytes, content_type: str) -> None:
    assert is_beam_error(with_f.put_data("0/packet_42", body, content_type), 400)


@pytest.mark.parametrize("reference", ["42-43", "42f", "1st", "42+1d", "latest", "1s", "elements"])
def test_x8_an_element_is_put_by_kind_and_pts_only(with_f: Beam, reference: str) -> None:
    assert with_f.put(f"0/{reference}", {"type": "Packet"}).status_code == 400
    assert with_f.times("0/first-last") == 404


def test_e7_a_frame_has_several_addresses(with_f: Beam) -> None:
    paths = ("stream_0/frame_42", "0/frame_42", "video/frame_42", "0/42")

    assert [with_f.put(path, FRAME).status_code for path in paths] == [201, 200, 200, 200]
    assert with_f.get("0/frame_42").get_json() == FRAME


def test_e8_pts_may_be_negative(with_f: Beam) -> None:
    document = {**K0, "pts": -5}

    assert with_f.put("0/packet_-5", document).status_code == 201
    assert with_f.put("0/-5", document).status_code == 200
    assert with_f.get("0/packet_-5").get_json() == document
    assert with_f.put_data("0/packet_-5.raw", b"x").status_code == 201


@pytest.mark.parametrize("path", ["stream_2/packet_42", "subtitle/packet_42", "all/packet_42"])
def test_e10_an_element_needs_its_stream(with_f: Beam, path: str) -> None:
    assert is_beam_error(with_f.put(path, {"type": "Packet"}), 404)
    assert is_beam_error(with_f.client.put("/beams/nothing/0/packet_42", json={"type": "Packet"}), 404)


def test_e11_a_new_description_keeps_the_payload(with_f: Beam) -> None:
    with_f.put("0/packet_42", K0)
    with_f.put_data("0/packet_42/data", K_BYTES)
    with_f.put("0/frame_42", FRAME)
    with_f.put_data("0/frame_42/data", b"aaaabbcc")

    assert with_f.put("0/packet_42", {**K0, "pos": 7}).status_code == 200
    assert with_f.put("0/frame_42", {**FRAME, "format": "x"}).status_code == 200

    assert with_f.get("0/packet_42/data").data == K_BYTES[:16383]
    assert with_f.get("0/frame_42/data").data == b"aaaabbcc"


def test_a_lifetime_belongs_to_a_payload(with_f: Beam) -> None:
    assert is_beam_error(with_f.put("0/packet_42?expires_s=5", K0), 400)
    with_f.put("0/packet_42", K0)
    assert with_f.put_data("0/packet_42.raw?expires_s=5", b"x").status_code == 201


def test_elements_without_pts_are_counted(with_f: Beam) -> None:
    place = "/beams/test_url/1"
    made = [with_f.client.post(place, json={"type": "Packet"}) for _ in range(3)]

    assert [response.status_code for response in made] == [201] * 3
    assert [response.get_json()["pts"] for response in made] == [0, 1, 2]
    assert made[2].headers["Location"] == "/beams/test_url/stream_1/packet_2"


def test_a_batch_without_pts_replaces_nothing(with_f: Beam) -> None:
    with_f.put("1/packet_1", {"type": "Packet", "stream_index": 1, "duration": 9})

    for _ in range(3):
        line = with_f.put("1/elements", data=b'{"type": "Packet"}', content_type="application/x-ndjson")
        assert line.get_json() == {"created": 1, "replaced": 0, "repeated": 0}

    assert with_f.times("1/first-last") == [1, 1, 2, 3]
    assert with_f.get("1/1st").get_json()[0]["duration"] == 9


def test_an_id_that_was_given_comes_back_and_may_be_sent_again(with_f: Beam) -> None:
    document = {"type": "Packet", "stream_index": 1, "pts": 9, "id": new_id()}

    answers = [with_f.client.post("/beams/test_url/1", json=document) for _ in range(2)]

    assert [response.status_code for response in answers] == [201, 200]
    assert [response.get_json() for response in answers] == [document] * 2
    assert with_f.get(f"1/id_{document['id']}").get_json() == [document]
    assert with_f.times("1/first-last") == [9]


@pytest.mark.parametrize(
    ("reference", "left"),
    [
        ("packet_20", [-40, -30, -20, -10, 0, 10, 30, 40, 50]),
        ("-15-35", [-40, -30, -20, 40, 50]),
        ("50", [-40, -30, -20, -10, 0, 10, 20, 30, 40]),
        ("-0.001s-1s?tolerance_ms=0", [-40, -30, -20, -10]),
        ("first-last", []),
    ],
)
def test_elements_are_removed(set10: Beam, reference: str, left: list[int]) -> None:
    if "s" in reference and "packet" not in reference:
        reference = reference.replace("-0.001s", "0s")
    joint = "&" if "?" in reference else "?"
    dry = set10.client.delete(f"/beams/test_url/3/{reference}{joint}dry_run=1")
    assert set10.times("3/first-last") == list(range(-40, 51, 10))

    response = set10.client.delete(f"/beams/test_url/3/{reference}")

    assert response.get_json() == dry.get_json() == {"deleted": 10 - len(left)}
    assert set10.times("3/first-last") == (left or 404)
    assert is_beam_error(set10.client.delete(f"/beams/test_url/3/{reference}"), 404)


def test_removing_by_kind_leaves_the_other(with_f: Beam) -> None:
    with_f.put("0/packet_42", K0)
    with_f.put("0/frame_42", FRAME)

    assert with_f.client.delete("/beams/test_url/0/frame_42").get_json() == {"deleted": 1}
    assert [document["type"] for document in with_f.get("0/42").get_json()] == ["Packet"]


@pytest.mark.parametrize(
    "reference", ["2nd-last", "last", "first", "42f", "40+1d", "latest", "wibble", "packet_1.rawx"]
)
def test_only_times_say_what_is_to_be_removed(set10: Beam, reference: str) -> None:
    assert is_beam_error(set10.client.delete(f"/beams/test_url/3/{reference}"), 400)
    assert set10.times("3/first-last") == list(range(-40, 51, 10))


@pytest.fixture
def lax(tmp_path: Any, sqlite_url: str) -> Any:
    """A service that makes what is missing."""
    bench: Bench = make_bench(tmp_path, sqlite_url, contents={"lax": True})
    yield Beam(bench)
    bench.database.close()


def test_e10_a_lax_service_makes_what_is_missing(lax: Beam) -> None:
    assert lax.put("stream_3/packet_42", K).status_code == 201
    assert lax.put("3/packet_43", {"type": "Packet"}).status_code == 201
    assert lax.put("audio/packet_1", {"type": "Packet"}).status_code == 201

    assert lax.get("stream_3/packet_42").get_json() == K
    assert lax.client.get("/beams/test_url").get_json() == {
        "type": "format",
        "url": "test_url",
        "streams": [
            {"type": "Stream", "index": 3},
            {"type": "Stream", "index": 4, "codecpar": {"codec_type": "audio"}},
        ],
    }


def test_what_comes_for_a_stream_deleted_meanwhile_is_refused_and_not_stored(with_f: Beam) -> None:
    number = Catalogue(with_f.store, CLOCK).get("test_url").stream_number(0)
    with_f.put("0/packet_42", K0)
    with_f.store.commit([DropStream(number)])

    for answer in (
        with_f.put("0/packet_43", {**K0, "pts": 43}),
        with_f.client.post("/beams/test_url/0", json={**K0, "pts": 44}),
        with_f.client.put(
            "/beams/test_url/0/elements", data=json.dumps(K0), content_type="application/x-ndjson"
        ),
    ):
        assert is_beam_error(answer, 404)
        assert answer.get_json()["code"] == "stream-gone"
    assert with_f.store.facts(number).next_sequence == 0
