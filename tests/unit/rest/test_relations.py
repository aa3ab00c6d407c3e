"""Relations over HTTP: F10 to F32 of what was promised, as a client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rest.bench import Bench
from tests.waiting import wait_until

STREAMS = [
    {"type": "Stream", "index": 0, "codecpar": {"codec_type": "video"}},
    {"type": "Stream", "index": 1, "codecpar": {"codec_type": "audio", "channels": 8}},
    {"type": "Stream", "index": 2, "codecpar": {"codec_type": "audio", "channels": 2}},
]


@pytest.fixture(autouse=True)
def contents(bench: Bench) -> None:
    """Contents A to F."""
    for name in "ABCDEF":
        answer = bench.client.post("/beams", json={"type": "format", "url": name, "streams": STREAMS})
        assert answer.status_code == 201, answer.text


def get(bench: Bench, path: str) -> Any:
    answer = bench.client.get(f"/beams/{path}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def post(bench: Bench, path: str, body: Any = None) -> int:
    answer = bench.client.post(f"/beams/{path}", **({} if body is None else {"json": body}))
    return answer.status_code


def delete(bench: Bench, path: str, **query: str) -> int:
    return bench.client.delete(f"/beams/{path}", query_string=query).status_code


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("A/equivalent/B", {"POST", "DELETE"}),
        ("A/equivalent", {"GET"}),
        ("A/rendition/B", {"POST", "DELETE"}),
    ],
)
def test_what_relations_can_not_do_is_refused_with_what_they_can(
    bench: Bench, path: str, allowed: set[str]
) -> None:
    refusal = bench.client.put(f"/beams/{path}", json={"type": "Packet"})

    assert refusal.status_code == 405
    assert set(refusal.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == allowed
    assert set(bench.client.options(f"/beams/{path}").headers["Allow"].split(", ")) >= allowed


class TestEquivalents:
    def test_itself_and_missing_ones_are_refused_each_in_its_own_words(self, bench: Bench) -> None:
        answers = [bench.client.post(f"/beams/{a}/equivalent/{b}") for a, b in ("AA", "Ax", "xA", "xy")]

        assert [answer.status_code for answer in answers] == [400, 404, 404, 404]
        assert len({answer.get_json()["message"] for answer in answers}) >= 3

    def test_pairs_are_made_found_from_both_sides_followed_and_forgotten(self, bench: Bench) -> None:
        assert [post(bench, f"{a}/equivalent/{b}") for a, b in ("AB", "BA", "BC", "CA")] == [
            201,
            200,
            201,
            201,
        ]
        assert get(bench, "B/equivalent") == ["A", "C"]
        assert get(bench, "A/equivalent?depth=10") == ["B", "C"]
        assert [delete(bench, "A/equivalent/C"), delete(bench, "A/equivalent/C")] == [204, 404]
        assert get(bench, "A/equivalent") == ["B"]

    def test_names_may_have_any_characters(self, bench: Bench) -> None:
        url = "file:///copies/a b.mov"
        assert bench.client.post("/beams", json={"type": "format", "url": url}).status_code == 201

        assert post(bench, "A/equivalent/file%3A%2F%2F%2Fcopies%2Fa%20b.mov") == 201
        assert get(bench, "A/equivalent") == [url]
        assert get(bench, "file%3A%2F%2F%2Fcopies%2Fa%20b.mov/equivalent") == ["A"]


class TestRenditions:
    def test_a_rendition_is_made_told_and_moved(self, bench: Bench) -> None:
        assert post(bench, "B/rendition/A") == 201
        assert post(bench, "B/rendition/A", {"stream_map": {"video": "video"}, "making": "justInCase"}) == 200
        assert get(bench, "B/rendition") == {
            "sources": ["A"],
            "stream_map": {"video": "video"},
            "making": "justInCase",
        }
        assert get(bench, "A/rendition?reverse") == {"sources": [], "dependencies": ["B"]}
        assert post(bench, "B/rendition/C") == 201
        assert get(bench, "A/rendition?reverse&depth=3")["dependencies"] == []

    def test_sources_are_told_to_a_depth(self, bench: Bench) -> None:
        assert [post(bench, "B/rendition/A"), post(bench, "C/rendition/B")] == [201, 201]

        assert get(bench, "C/rendition?depth=10")["sources"] == ["B", "A"]
        assert get(bench, "C/rendition")["sources"] == ["B"]

    def test_channels_are_picked_within_what_there_is(self, bench: Bench) -> None:
        good = {"stream_1": "audio[3]", "2": ["audio[7]", "audio_1"]}
        assert post(bench, "B/rendition/A", {"stream_map": good}) == 201
        assert get(bench, "B/rendition")["stream_map"] == good

        for bad in ({"audio": "audio[8]"}, {"video": "video", "0": 0}, {"audio": [], "x": 1}):
            assert post(bench, "C/rendition/A", {"stream_map": bad}) == 400
        assert get(bench, "C/rendition") == {"sources": []}

    def test_circles_and_the_wrong_source_are_refused(self, bench: Bench) -> None:
        assert post(bench, "B/rendition/A") == 201

        assert [post(bench, "A/rendition/B"), post(bench, "A/rendition/A")] == [409, 400]
        assert [delete(bench, "B/rendition/C"), delete(bench, "B/rendition/A")] == [404, 204]


class TestTransformations:
    def test_a_transformation_is_told_from_every_side(self, bench: Bench) -> None:
        body = {"sources": ["A", "A", "D"], "targets": ["B", "C"], "recipe": {"filter": "overlay"}}
        assert post(bench, "B/transformation", body) == 201

        assert get(bench, "C/transformation") == body
        assert get(bench, "A/transformation?reverse") == {"source": "A", "transformations": [["B", "C"]]}
        assert get(bench, "E/transformation") == {"sources": []}
        assert delete(bench, "B/transformation") == 204
        assert get(bench, "A/transformation?reverse")["transformations"] == []

    def test_what_it_must_say_is_asked_for(self, bench: Bench) -> None:
        answer = bench.client.post("/beams/A/transformation")
        assert answer.status_code == 400
        assert answer.get_json()["errors"] == [{"pointer": "/sources", "detail": "field required"}]

    def test_it_is_bounded_in_time_and_followed_to_a_depth(self, bench: Bench) -> None:
        bounded = {"sources": ["A"], "recipe": "scale", "start_time": 0, "duration": 5_000_000}
        assert post(bench, "B/transformation", bounded) == 201
        assert post(bench, "C/transformation", {"sources": ["B"]}) == 201

        found = get(bench, "C/transformation?depth=5")
        assert found["sources"] == ["B"]
        assert found["upstream"] == [{**bounded, "targets": ["B"]}]
        assert get(bench, "A/transformation?reverse&depth=2")["transformations"] == [["B"], ["C"]]

    def test_a_recipe_of_filters_is_checked_when_it_is_noted(self, bench: Bench) -> None:
        given = {"sources": ["A"], "recipe": {"video": "hflip"}, "making": "justInCase"}
        assert post(bench, "B/transformation", given) == 201
        assert get(bench, "B/transformation") == {**given, "targets": ["B"]}

        bad = {"sources": ["A"], "recipe": {"video": ["hflip", "movie=/etc/passwd"]}}
        answer = bench.client.post("/beams/C/transformation", json=bad)
        assert answer.status_code == 400
        assert answer.get_json()["errors"][0]["pointer"] == "/recipe/video/1/filter"

    def test_only_exactly_its_targets_delete_it(self, bench: Bench) -> None:
        assert post(bench, "C/transformation", {"sources": ["A"], "targets": ["C", "D"]}) == 201

        answers = [
            delete(bench, "C/transformation", targets=names)
            for names in ('["C"]', '["C","E"]', '["C","D","E"]', "C", '["D","C"]')
        ]
        assert answers == [404, 404, 404, 400, 204]

    def test_loops_and_doubled_targets_are_refused(self, bench: Bench) -> None:
        for target, source in ("DA", "ED", "FE"):
            assert post(bench, f"{target}/transformation", {"sources": [source]}) == 201

        refused = [
            post(bench, "A/transformation", {"sources": ["F"]}),
            post(bench, "D/transformation", {"sources": ["B"]}),
            post(bench, "D/rendition/B"),
            post(bench, "B/transformation", {"sources": ["A"], "targets": ["B", "B"]}),
            post(bench, "B/transformation", {"sources": ["A", "B"]}),
            post(bench, "B/transformation", {"sources": ["A"], "targets": ["C"]}),
            post(bench, "B/transformation", {"sources": ["A"], "recipe": 7}),
            post(bench, "B/transformation", {"sources": ["nobody"]}),
        ]
        assert refused == [409, 409, 409, 400, 400, 400, 400, 404]


def test_a_deleted_content_is_gone_from_every_relation(bench: Bench) -> None:
    post(bench, "A/equivalent/B")
    post(bench, "C/rendition/B")
    post(bench, "D/transformation", {"sources": ["B", "A"], "targets": ["D", "E"]})

    assert delete(bench, "B") == 204

    assert get(bench, "A/equivalent?depth=9") == []
    assert get(bench, "C/rendition") == {"sources": []}
    assert get(bench, "E/transformation") == {"sources": []}


def test_a_viewer_reads_relations_and_changes_none(bench: Bench) -> None:
    headers = {"X-API-Key": bench.key("viewer")}

    def can_read() -> bool:
        return bench.client.get("/beams/A/equivalent", headers=headers).status_code == 200

    assert wait_until(can_read, "the new key is known")
    for method, path in (
        ("POST", "A/equivalent/B"),
        ("DELETE", "A/transformation"),
        ("POST", "A/rendition/B"),
    ):
        assert bench.client.open(f"/beams/{path}", method=method, headers=headers).status_code == 403
