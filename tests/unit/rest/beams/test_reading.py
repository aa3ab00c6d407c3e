"""Cases C: elements by any reference."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from jobengine.history.database import Database
from jobengine.model.element import PTS_MAX, PTS_MIN
from tests.unit.rest.beams.beam import TIME_BASE, Beam, K, R, is_beam_error
from tests.unit.rest.bench import make_bench
from tests.waiting import PATIENCE_S, wait_until


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beam]:
    """A service whose contents the tests only read: ``ten``, ``twelve``, ``timed``, ``mixed``, ``twelve``."""
    folder = tmp_path_factory.mktemp("service")
    url = f"sqlite:///{folder}/jobs.sqlite3"
    with Database(url) as database:
        database.upgrade()
    bench = make_bench(folder, url)
    beam = Beam(bench)
    contents: dict[str, tuple[list[int], range]] = {
        "ten": (TIME_BASE, range(-40, 51, 10)),
        "twelve": ([1, 25], range(0, 111, 10)),
        "timed": (TIME_BASE, range(-14400, 18001, 3600)),
    }
    for name, (time_base, times) in contents.items():
        beam.post(streams=1, url=name, time_base=time_base)
        for pts in times:
            beam.client.put(f"/beams/{name}/0/packet_{pts}", json={"type": "Packet"})
    yield beam
    bench.database.close()


@pytest.mark.parametrize(
    ("content", "path", "expected"),
    [
        ("ten", "-15-15", [-10, 0, 10]),
        ("ten", "-17f", [-20]),
        ("ten", "-15f", [-20]),
        ("ten", "-20f", [-20]),
        ("ten", "1000f", [50]),
        ("ten", "-17f-17", [-20, -10, 0, 10]),
        ("ten", "-17f-17f", [-20, -10, 0, 10]),
        ("ten", "2nd", [-30]),
        ("ten", "7th-last", [20, 30, 40, 50]),
        ("ten", "first-last?limit=5", [-40, -30, -20, -10, 0]),
        ("ten", "first-last?offset=5", [10, 20, 30, 40, 50]),
        ("ten", "first-last?offset=x&limit=y", list(range(-40, 51, 10))),
        ("ten", "first-last?offset=10", 404),
        ("ten", "41?offset=5", 404),
        ("ten", "40?offset=5", [40]),
        ("ten", "-15-15.json", [-10, 0, 10]),
        ("ten", "-15-15/", [-10, 0, 10]),
        ("ten", "-17f?max_distance=3", [-20]),
        ("ten", "-17f?max_distance=2", 404),
        ("twelve", "10th-last", [90, 100, 110]),
        ("twelve", "13th", 404),
        ("twelve", "13th-last", 404),
        ("twelve", "1st-11th", list(range(0, 100, 10))),
        ("twelve", "1st-11th?limit=11", list(range(0, 110, 10))),
        ("timed", "0s", [0]),
        ("timed", "-0.04s", [-3600]),
        ("timed", "-1.0s-10s", list(range(-14400, 18001, 3600))),
        ("timed", "-1.0s-10s?limit=3", [-14400, -10800, -7200]),
        ("timed", "0.0s-0.1s", [0, 3600, 7200]),
        ("timed", "00:00:00.040", [3600]),
        ("timed", "-7200+1d", [-3600]),
        ("timed", "-7200+1d.json", [-3600]),
        ("twelve", "0.4s", [10]),
        ("twelve", "0.404s", [10]),
        ("twelve", "0.41s", 404),
        ("twelve", "0.41s?tolerance_ms=10", [10]),
        ("twelve", "0.404s?tolerance_ms=0", 404),
        ("twelve", "0.404s?tolerance_ms=half", 404),
        ("twelve", "50-1d", [40]),
        ("twelve", "50-2d", [30]),
        ("twelve", "110+1d", 404),
        ("twelve", "110+1d?clamp=1", [110]),
        ("twelve", "120+1d", 404),
        ("twelve", "45+1d", [50]),
        ("twelve", "42f-3d", [10]),
        ("twelve", "30-10", 404),
        ("twelve", "5th-3rd", 404),
        ("twelve", "1s-0s", 404),
        ("twelve", "5", 404),
        ("twelve", "wibble", 400),
        ("twelve", "packet_x", 400),
        ("twelve", "packet_", 400),
        ("twelve", "10.raw", 400),
        ("twelve", "first/data", 400),
        ("twelve", "latest/data", 400),
        ("twelve", "packet_10/wibble", 400),
        ("twelve", "9223372036854775808", 400),
        ("twelve", "10?max_distance=x", 400),
        ("twelve", "10?wibble", 400),
        ("twelve", "10?tolerance_ms=nan", 400),
    ],
)
def test_a_reference_is_answered(read_only: Beam, content: str, path: str, expected: Any) -> None:
    response = read_only.client.get(f"/beams/{content}/stream_0/{path}")

    if isinstance(expected, int):
        assert is_beam_error(response, expected), response.text
    else:
        assert [document["pts"] for document in response.get_json()] == expected


def test_a_malformed_reference_is_told_with_its_place(read_only: Beam) -> None:
    told = read_only.client.get("/beams/ten/0/1-2-3").get_json()

    assert (told["status"], told["column"]) == (400, 4)


def test_a_file_that_no_rule_makes_is_told_as_such(read_only: Beam) -> None:
    told = read_only.client.get("/beams/ten/0/2s.gif").get_json()
    assert (told["status"], told["column"]) == (400, 3)
    assert told["detail"].endswith("; and no rule makes .gif here")
    assert "rule" not in read_only.client.get("/beams/ten/0/2.5.json").get_json()["detail"]


@pytest.mark.parametrize("place", ["/beams/née%/0/first", "/api/jobs/née%", "/née%"])
def test_an_address_that_is_no_text_is_refused_with_the_place(read_only: Beam, place: str) -> None:
    sent = place.encode().replace(b"%", b"\xff").decode("latin-1")
    answer = read_only.client.get("/", environ_overrides={"PATH_INFO": sent})

    assert answer.status_code == 400
    before = quote(place.partition("%")[0])
    assert answer.get_json()["detail"] == f"the address is not UTF-8: %FF after {before}"


def test_pages_of_a_range_link_to_each_other(read_only: Beam) -> None:
    found, place = [], "/beams/ten/0/first-last?limit=4&key=false"
    while place:
        response = read_only.client.get(place)
        found += [document["pts"] for document in response.get_json()]
        parts = [part[1:].split('>; rel="') for part in response.headers["Link"].split(", ")]
        links = {relation: address for address, relation in parts}
        assert links['first"'] == "/beams/ten/0/first-last?key=false&offset=0&limit=4"
        place = links.get('next"', "")

    assert found == list(range(-40, 51, 10))


def test_c1_and_c2_an_element_by_its_pts(beam: Beam) -> None:
    beam.post(streams=4)
    beam.put("stream_3/packet_42", K)

    assert beam.get("stream_3/42").get_json() == [K]
    assert is_beam_error(beam.get("stream_3/41"), 404)


def test_c37_and_c38_one_element_by_kind_and_pts(beam: Beam) -> None:
    beam.post(streams=4)
    beam.put("stream_3/packet_42", K)

    assert beam.get("stream_3/packet_42").get_json() == K
    assert beam.get("3/packet_42.json").get_json() == K
    assert beam.get("3/packet_042").get_json() == K
    assert is_beam_error(beam.get("stream_3/packet_41"), 404)
    assert is_beam_error(beam.get("stream_3/frame_42"), 404)


def test_c40_a_packet_and_a_frame_on_one_stream(with_f: Beam) -> None:
    packet, frame = {"type": "Packet", "stream_index": 0, "pts": 42}, {**R, "pts": 43}
    with_f.put("0/packet_42", packet)
    with_f.put("0/frame_43", frame)

    assert with_f.get("0/42-1000").get_json() == [packet, frame]
    assert with_f.get("0/42-1000?offset=1&limit=1").get_json() == [frame]
    assert with_f.get("0/100-1000").status_code == 404
    with_f.put("0/frame_42", {**R, "pts": 42})
    assert [document["type"] for document in with_f.get("0/42").get_json()] == ["Packet", "Frame"]


@pytest.mark.parametrize("word", ["start", "end", "latest"])
def test_c41_an_empty_stream_has_no_ends(with_f: Beam, word: str) -> None:
    assert is_beam_error(with_f.get(f"video/{word}"), 404)


@pytest.mark.parametrize(
    ("word", "pts"), [("start", -40), ("end", 50), ("latest", 50), ("latest.json", 50), ("start/", -40)]
)
def test_c43_the_ends_redirect(set10: Beam, word: str, pts: int) -> None:
    for stream in ("stream_3", "3", "unknown_3"):
        response = set10.get(f"{stream}/{word}")
        assert (response.status_code, response.data) == (302, b"")
        assert response.headers["Location"] == f"/beams/test_url/stream_3/packet_{pts}"
        assert response.headers["Cache-Control"] == "no-store"


def test_c44_the_latest_is_of_its_own_stream(with_f: Beam) -> None:
    with_f.put("stream_1/frame_7", {**R, "stream_index": 1, "pts": 7})

    assert with_f.get("audio/latest").headers["Location"] == "/beams/test_url/stream_1/frame_7"


def test_pts_have_all_of_64_bits(with_f: Beam) -> None:
    for pts in (PTS_MIN, 2**53, 2**53 + 1, PTS_MAX):
        assert with_f.put(f"0/packet_{pts}", {"type": "Packet"}).status_code == 201

    assert with_f.times(f"0/{2**53 + 1}") == [2**53 + 1]
    assert with_f.times(f"0/packet_{PTS_MAX}") == [PTS_MAX]
    assert with_f.times("0/first-last") == [PTS_MIN, 2**53, 2**53 + 1, PTS_MAX]


def test_key_elements_at_or_before(with_f: Beam) -> None:
    for pts in range(0, 100, 10):
        with_f.put(f"0/packet_{pts}", {"type": "Packet", "flags": {"KEY": pts in (0, 50)}})
    (fourth,) = with_f.get("0/4th?ids=1").get_json()

    assert with_f.times("0/49?key=1") == [0]
    assert with_f.times("0/last?key=1") == [50]
    assert with_f.times("0/packet_70?key=1") == [50]
    assert with_f.times(f"0/id_{fourth['id']}") == [30]
    assert with_f.times(f"0/id_{fourth['id']}?key=1") == [0]
    assert with_f.times("0/60-70?key=1") == [50, 60, 70]


def test_all_streams_are_read_at_once(beam: Beam) -> None:
    beam.post()
    beam.put_packets(0, [0, 3600, 7200])
    beam.put_packets(1, [0, 1800, 5400])

    def found(path: str) -> list[tuple[int, int]]:
        return [(document["stream_index"], document["pts"]) for document in beam.get(path).get_json()]

    assert found("all/0s-0.04s") == [(0, 0), (1, 0), (1, 1800), (0, 3600)]
    assert found("all/first-last?offset=4") == [(1, 5400), (0, 7200)]
    assert found("all/5500f") == [(1, 5400), (0, 7200)]
    assert beam.get("all/latest").headers["Location"] == "/beams/test_url/stream_0/packet_7200"
    assert is_beam_error(beam.get("all/packet_0"), 400)
    assert is_beam_error(beam.get("all/first/data"), 400)


def test_real_time_needs_a_time_base(beam: Beam) -> None:
    beam.post(streams=1, time_base=[0, 1])
    beam.put_packets(0, [0])

    assert is_beam_error(beam.get("0/0s"), 404)
    assert beam.times("0/0") == [0]


def test_head_is_get_without_a_body(set10: Beam) -> None:
    for path in ("stream_3", "stream_3/first", "stream_3/latest", "stream_3/wibble"):
        address = f"/beams/test_url/{path}"
        head, got = set10.client.head(address), set10.client.get(address)
        assert (head.status_code, head.data) == (got.status_code, b"")
        assert head.headers["Content-Length"] == str(len(got.data))


def test_a_read_waits_for_its_element(set10: Beam) -> None:
    answers: list[Any] = []

    def ask() -> None:
        client = set10.client.application.test_client()
        answers.append(client.get("/beams/test_url/3/50+1d?wait=30000").get_json())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        wait_until(lambda: _seats(set10) == 1, "the read waits")
        set10.put_packets(3, [60])
    finally:
        thread.join(PATIENCE_S)

    assert [document["pts"] for document in answers[0]] == [60]
    assert _seats(set10) == 0


def test_a_read_waits_no_longer_than_it_said(set10: Beam) -> None:
    assert set10.times("3/50+1d?wait=30") == 404


def test_nothing_waits_for_a_closed_stream(set10: Beam) -> None:
    assert set10.client.patch("/beams/test_url/3", json={"closed": True}).status_code == 200

    assert set10.times("3/50+1d?wait=60000") == 404
    assert set10.get("3/latest").headers["Beam-Closed"] == "true"
    assert is_beam_error(set10.put("3/packet_60", {"type": "Packet"}), 409)
    assert set10.client.patch("/beams/test_url/3", json={"closed": False}).status_code == 200
    assert set10.put("3/packet_60", {"type": "Packet"}).status_code == 201
    assert "Beam-Closed" not in set10.get("3/latest").headers


def _seats(beam: Beam) -> int:
    text = beam.client.get("/metrics").text
    (line,) = [line for line in text.splitlines() if line.startswith("jobengine_event_streams ")]
    return int(float(line.split()[1]))


def test_a_time_that_finds_nothing_is_told_what_is_nearest(set_t: Beam) -> None:
    answers = [set_t.get(f"1/{reference}") for reference in ("0.06s", "9s")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert [answer.get_json()["detail"].partition("; ")[2][:34] for answer in answers] == [
        "the nearest element is at 0.04s (t",
        "the nearest element is at 0.2s (to",
    ]
    assert set_t.get("1/0.06s?tolerance_ms=20").status_code == 200
