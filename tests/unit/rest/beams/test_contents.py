"""Cases B: lists, contents and streams."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rest.beams.beam import Beam, F, is_beam_error

NAMES = [
    "a b/c?d",
    "https://example.org/media/clip.mp4?x=1#2",
    "file:///var/media/x.mp4",
    "ä€🎬",
    "100%",
    "%2F",
    "semi;colon=1",
    '"quoted" \\ back',
    "a//b",
    "/leading",
    "...",
    "-1",
    "new\nline",
    "x" * 400,
]


def test_b1_an_empty_store_has_no_names(beam: Beam) -> None:
    response = beam.client.get("/beams")

    assert (response.status_code, response.get_json(), response.mimetype) == (200, [], "application/json")


def test_b2_a_content_is_listed(with_f: Beam) -> None:
    assert with_f.client.get("/beams").get_json() == ["test_url"]
    assert with_f.client.get("/beams/").get_json() == ["test_url"]


@pytest.fixture
def hundred(beam: Beam) -> Beam:
    """A hundred contents, ``item_0`` to ``item_99``; the even ones are muxers."""
    for number in range(100):
        kind = "muxer" if number % 2 == 0 else "format"
        beam.post(url=f"item_{number}", type=kind, streams=0, metadata={"title": f"No {number}"})
    return beam


def test_b4_to_b8_pages_of_names(hundred: Beam) -> None:
    def names(query: str) -> list[str]:
        response = hundred.client.get(f"/beams{query}")
        assert response.status_code == 200, response.text
        found: list[str] = response.get_json()
        return found

    every = [f"item_{number}" for number in range(100)]
    assert names("") == every[:10]
    assert names("?offset=10&limit=42") == every[10:52]
    assert names("?limit=256") == every
    assert names("?offset=99") == every[99:]
    assert names("?offset=199") == []
    assert names("?offset=x") == every[:10]
    assert names("?limit=x") == every[:10]
    assert names("?start=10&limit=42") == every[10:52]
    assert hundred.client.get("/beams?count").get_json() == {"count": 100}


def test_a_list_goes_on_from_where_start_says(hundred: Beam) -> None:
    response = hundred.client.get("/beams?start=20&limit=10")

    assert response.headers["Link"] == (
        '</beams?offset=0&limit=10>; rel="first", </beams?offset=10&limit=10>; rel="prev", '
        '</beams?offset=30&limit=10>; rel="next"'
    )
    assert is_beam_error(hundred.client.get("/beams?start=20&offset=20"), 400)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('filter=type == "muxer"&count', {"count": 50}),
        ('filter=metadata.title == "No 7"', ["item_7"]),
        ('filter=name ~ "item_9*" AND type == "format"', [f"item_{n}" for n in (9, 91, 93, 95, 97, 99)]),
    ],
)
def test_names_are_filtered(hundred: Beam, query: str, expected: Any) -> None:
    assert hundred.client.get(f"/beams?{query}").get_json() == expected


def test_every_page_links_to_its_neighbours(hundred: Beam) -> None:
    def links(offset: int) -> set[str]:
        header = hundred.client.get(f"/beams?offset={offset}&limit=40").headers["Link"]
        return {part.rpartition('"')[0].rpartition('"')[2] for part in header.split(", ")}

    assert links(0) == {"first", "next"}
    assert links(40) == {"first", "prev", "next"}
    assert links(80) == {"first", "prev"}


@pytest.mark.parametrize("query", ["offset=-1", "limit=0", "limit=10001", "wibble=1", "filter=("])
def test_a_wrong_query_is_refused(beam: Beam, query: str) -> None:
    assert is_beam_error(beam.client.get(f"/beams?{query}"), 400)


def test_b10_an_unknown_content_is_not_found(beam: Beam) -> None:
    assert is_beam_error(beam.client.get("/beams/wibble"), 404)


def test_b11_what_was_sent_is_answered_and_stored(beam: Beam) -> None:
    response = beam.client.post("/beams", json=F)

    assert (response.status_code, response.headers["Location"]) == (201, "/beams/test_url")
    assert response.get_json() == F
    assert beam.client.get("/beams/test_url").get_json() == F
    assert beam.client.get("/beams/test_url.json").get_json() == F
    assert beam.client.get("/beams/test_url/").get_json() == F
    assert is_beam_error(beam.client.post("/beams", json=F), 409)


@pytest.mark.parametrize("url", ["", None])
def test_b13_a_content_without_name_gets_one(beam: Beam, url: str | None) -> None:
    response = beam.client.post("/beams", json={**F, "url": url})

    name = response.get_json()["url"]
    assert response.status_code == 201
    assert name.startswith("urn:uuid:")
    assert beam.client.get(response.headers["Location"]).get_json()["url"] == name
    assert beam.client.get("/beams").get_json() == [name]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"type": "wibble"}', "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"{", "application/json"),
        (b"", "application/json"),
        (b'{"type": "format", "type": "muxer"}', "application/json"),
        (b'{"type": "format", "bit_rate": NaN}', "application/json"),
        (b'{"type": "format", "url": "a\\u0000b"}', "application/json"),
        (b'{"type": "format", "url": "\\ud800"}', "application/json"),
        (b'{"type": "format"}', "text/plain"),
        (b'{"type": "format"}', ""),
        (b'{"type": "format", "url": ".."}', "application/json"),
        (b'{"type": "format", "url": "a/"}', "application/json"),
        (b'{"type": "format", "streams": [{"time_base": [1]}]}', "application/json"),
        (b'{"type": "format", "streams": [{"index": 70000}]}', "application/json"),
    ],
)
def test_b14_what_is_no_format_is_refused_and_nothing_stored(
    beam: Beam, body: bytes, content_type: str
) -> None:
    response = beam.client.post("/beams", data=body, content_type=content_type)

    assert is_beam_error(response, 400)
    assert beam.client.get("/beams").get_json() == []


@pytest.mark.parametrize("name", NAMES)
def test_b16_names_have_any_characters(beam: Beam, name: str) -> None:
    created = beam.post(url=name)
    place = created.headers["Location"]
    assert beam.client.get(place).get_json()["url"] == name
    assert beam.client.get(f"{place}/video").get_json() == F["streams"][0]

    put = beam.client.put(f"{place}/video/packet_-5", json={"type": "Packet"})
    assert put.status_code == 201, put.text
    assert beam.client.get(put.headers["Location"]).get_json()["pts"] == -5
    latest = beam.client.get(f"{place}/video/latest")
    assert latest.headers["Location"] == put.headers["Location"]
    assert beam.client.delete(place).status_code == 204
    assert beam.client.get(place).status_code == 404


def test_a_name_that_ends_in_json_is_found_by_doubling_it(beam: Beam) -> None:
    place = beam.post(url="x.json").headers["Location"]

    assert place == "/beams/x.json.json"
    assert beam.client.get(place).get_json()["url"] == "x.json"
    assert beam.client.get("/beams/x.json").status_code == 404
    assert beam.client.get("/beams/x.json/video").status_code == 200
    assert beam.client.get(f"{place}/video").status_code == 200


def test_json_behind_a_relation_means_nothing(with_f: Beam) -> None:
    assert with_f.get("equivalent.json").get_json() == []


def test_of_contents_in_each_other_the_inner_is_meant_by_what_rules_make(beam: Beam) -> None:
    beam.post(url="news", streams=0)
    beam.post(url="news/late", streams=1)

    assert beam.client.get("/beams/news%2Flate/0/first").get_json()["detail"].endswith("of 'news/late'")
    refused = beam.client.get("/beams/news%2Flate/0.wibble").get_json()
    assert refused["detail"] == "content 'news/late' has no stream '0.wibble'"


@pytest.mark.parametrize(("first", "second"), [("x", "x/video"), ("x/video", "x"), ("x", "x/1/first")])
def test_a_name_that_reads_like_a_part_of_another_is_refused(beam: Beam, first: str, second: str) -> None:
    beam.post(url=first)

    assert is_beam_error(beam.client.post("/beams", json={**F, "url": second}), 409)


def test_names_with_slashes_stand_beside_each_other(beam: Beam) -> None:
    for name in ("news", "news/today", "news/today/noon"):
        beam.post(url=name)

    for name in ("news", "news/today", "news/today/noon"):
        assert beam.client.get(f"/beams/{name}").get_json()["url"] == name
        assert beam.client.get(f"/beams/{name}/audio").status_code == 200


@pytest.mark.parametrize(
    "name", ["stream_1", "1", "audio", "audio_0", "stream1", "stream_1.json", "audio.json", "01"]
)
def test_b17_and_b20_a_stream_has_several_names(with_f: Beam, name: str) -> None:
    assert with_f.get(name).get_json() == F["streams"][1]


@pytest.mark.parametrize("name", ["stream_42", "video_1", "-1", "Video", "1.0", "0x1", "all", "x", "stream_"])
def test_b19_other_names_are_no_stream(with_f: Beam, name: str) -> None:
    assert is_beam_error(with_f.get(name), 404)


def test_streams_are_named_by_type(beam: Beam) -> None:
    types = ["audio", "attachment", "subtitle", "data", "attachment", "wibble", None]
    streams = [{"type": "Stream", "index": i, "codecpar": {"codec_type": t}} for i, t in enumerate(types)]
    beam.client.post("/beams", json={"type": "format", "url": "test_url", "streams": streams})

    found = {
        name: beam.get(name).get_json()["index"]
        for name in ("default", "attachment", "attachment_1", "subtitle", "data", "unknown", "unknown_1")
    }

    assert list(found.values()) == [0, 1, 4, 2, 3, 5, 6]


def test_without_video_and_audio_there_is_no_default(beam: Beam) -> None:
    beam.post(streams=1)

    assert beam.get("default").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_values_in_the_metadata_of_a_format_become_texts(beam: Beam, method: str) -> None:
    sent = {
        "no": 5,
        "whole": 2.0,
        "part": 1.5,
        "yes": True,
        "none": None,
        "list": [1, {"a": "ä"}],
        "text": "x",
    }
    texts = {
        "no": "5",
        "whole": "2",
        "part": "1.5",
        "yes": "true",
        "none": "null",
        "list": '[1,{"a":"ä"}]',
        "text": "x",
    }
    address, document = "/beams/noon", {"type": "format", "url": "noon", "streams": []}
    if method == "POST":
        address = "/beams"
    else:
        beam.client.post("/beams", json=document)
    if method == "PATCH":
        document, sent = {}, {name: value for name, value in sent.items() if value is not None}
        texts.pop("none")

    answer = beam.client.open(
        address,
        method=method,
        json={**document, "metadata": sent},
        content_type="application/merge-patch+json" if method == "PATCH" else None,
    )

    assert answer.get_json()["metadata"] == texts
    assert beam.client.get("/beams/noon").get_json()["metadata"] == texts


def test_b22_a_format_is_replaced_at_the_revision_expected(with_f: Beam) -> None:
    tag = with_f.client.get("/beams/test_url").headers["ETag"]
    changed = {**F, "metadata": {"title": "Noon"}}

    response = with_f.client.put("/beams/test_url", json=changed, headers={"If-Match": tag})
    assert (response.status_code, response.get_json()) == (200, changed)
    assert response.headers["ETag"] != tag
    again = with_f.client.put("/beams/test_url", json=F, headers={"If-Match": tag})
    assert is_beam_error(again, 412)
    assert with_f.client.get("/beams/test_url").get_json() == changed
    assert is_beam_error(with_f.client.put("/beams/test_url", json={**F, "url": "other"}), 400)
    assert is_beam_error(with_f.client.put("/beams/other", json={**F, "url": "other"}), 404)


def test_a_format_that_is_known_is_not_sent_again(with_f: Beam) -> None:
    tag = with_f.client.get("/beams/test_url").headers["ETag"]

    for path in ("/beams/test_url", "/beams/test_url/video"):
        response = with_f.client.get(path, headers={"If-None-Match": tag})
        assert (response.status_code, response.data) == (304, b"")


@pytest.mark.parametrize("path", ["/beams/test_url", "/beams/test_url/0"])
def test_who_has_another_revision_is_told_also_when_reading(with_f: Beam, path: str) -> None:
    tag = with_f.client.get(path).headers["ETag"]

    for wanted in (tag, "*"):
        assert with_f.client.get(path, headers={"If-Match": wanted}).status_code == 200
    assert is_beam_error(with_f.client.get(path, headers={"If-Match": '"1-99"'}), 412)


@pytest.mark.parametrize("path", ["/beams/test_url", "/beams/test_url/0"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("condition", ["*", "the tag"])
def test_nothing_is_changed_that_must_not_be_there(
    with_f: Beam, path: str, method: str, condition: str
) -> None:
    before = with_f.client.get(path)
    headers = {"If-None-Match": before.headers["ETag"] if condition == "the tag" else condition}

    response = with_f.client.open(path, method=method, json=before.get_json(), headers=headers)

    assert is_beam_error(response, 412)
    assert with_f.client.get(path).headers["ETag"] == before.headers["ETag"]


def test_a_stream_is_added_only_where_there_is_none_if_the_client_says_so(with_f: Beam) -> None:
    stream, only_new = {"type": "Stream", "time_base": [1, 25]}, {"If-None-Match": "*"}

    assert with_f.client.put("/beams/test_url/2", json=stream, headers=only_new).status_code == 201
    assert is_beam_error(with_f.client.put("/beams/test_url/2", json=stream, headers=only_new), 412)


def test_a_format_is_patched(with_f: Beam) -> None:
    response = with_f.client.patch(
        "/beams/test_url",
        json={"metadata": {"title": "Noon"}, "interleaved": None, "payloadAgeS": 60, "payloadBytes": 1000},
    )

    changed = {**F, "metadata": {"title": "Noon"}, "payloadAgeS": 60, "payloadBytes": 1000}
    del changed["interleaved"]
    assert (response.status_code, response.get_json()) == (200, changed)
    assert is_beam_error(with_f.client.patch("/beams/test_url", json={"type": "wibble"}), 400)
    assert is_beam_error(with_f.client.patch("/beams/test_url", json=[1]), 400)


def test_a_format_with_fewer_streams_takes_their_elements_along(set_t: Beam) -> None:
    set_t.put_packets(0, [0, 1])
    only_video = {**F, "streams": F["streams"][:1]}

    assert set_t.client.put("/beams/test_url", json=only_video).status_code == 200
    assert set_t.get("audio").status_code == 404
    assert set_t.client.put("/beams/test_url", json=F).status_code == 200
    assert set_t.times("audio/first-last") == 404
    assert set_t.times("video/first-last") == [0, 1]


def test_the_time_base_stays_as_long_as_there_are_elements(set_t: Beam) -> None:
    video, audio = F["streams"]
    faster = {**F, "streams": [{**video, "time_base": [1, 25]}, audio]}
    wrong = {**F, "streams": [video, {**audio, "time_base": [1, 25]}]}

    assert set_t.client.put("/beams/test_url", json=faster).status_code == 200
    assert is_beam_error(set_t.client.put("/beams/test_url", json=wrong), 409)
    assert is_beam_error(set_t.client.patch("/beams/test_url/audio", json={"time_base": [1, 5]}), 409)


def test_a_content_is_removed_with_all_that_is_in_it(set_t: Beam) -> None:
    set_t.put_data("audio/packet_0/data", b"12345")
    dry = set_t.client.delete("/beams/test_url?dry_run=1")
    assert dry.get_json() == {"streams": 2, "elements": 10, "payloadBytes": 5}
    stale = set_t.client.delete("/beams/test_url", headers={"If-Match": '"1-99"'})
    assert is_beam_error(stale, 412)

    assert set_t.client.delete("/beams/test_url").status_code == 204

    assert is_beam_error(set_t.client.delete("/beams/test_url"), 404)
    assert set_t.client.get("/beams").get_json() == []
    set_t.post()
    assert set_t.times("audio/first-last") == 404


def test_an_old_tag_does_not_fit_a_content_made_anew(with_f: Beam) -> None:
    tag = with_f.client.get("/beams/test_url").headers["ETag"]
    with_f.client.delete("/beams/test_url")
    with_f.post()

    assert is_beam_error(with_f.client.delete("/beams/test_url", headers={"If-Match": tag}), 412)


def test_b23_what_an_address_cannot_do_is_told_with_what_it_can(with_f: Beam) -> None:
    for path, method in (("/beams", "DELETE"), ("/beams/test_url", "POST"), ("/beams/test_url/0/1", "POST")):
        response = with_f.client.open(path, method=method)
        assert is_beam_error(response, 405)
        assert "GET" in response.headers["Allow"]
    options = with_f.client.options("/beams/test_url/video/packet_42/data")
    assert options.status_code == 200
    assert {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} == set(options.headers["Allow"].split(", "))


def test_a_request_sent_twice_makes_one_content(beam: Beam) -> None:
    headers = {"Idempotency-Key": "abc"}
    document = {"type": "format"}

    first = beam.client.post("/beams", json=document, headers=headers)
    second = beam.client.post("/beams", json=document, headers=headers)
    other = beam.client.post("/beams", json={"type": "muxer"}, headers=headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.headers["Location"] == second.headers["Location"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert other.status_code == 422
    assert len(beam.client.get("/beams").get_json()) == 1


def test_streams_are_added_changed_closed_and_removed(with_f: Beam) -> None:
    subtitle = {"type": "Stream", "index": 2, "codecpar": {"codec_type": "subtitle"}}

    added = with_f.put("stream_2", {"codecpar": {"codec_type": "subtitle"}})
    assert (added.status_code, added.get_json()) == (201, subtitle)
    assert added.headers["Location"] == "/beams/test_url/stream_2"
    assert with_f.put("subtitle", {**subtitle, "id": 7}).get_json() == {**subtitle, "id": 7}
    patched = with_f.client.patch("/beams/test_url/2", json={"closed": True, "id": None})
    assert patched.get_json() == {**subtitle, "closed": True}
    assert with_f.client.get("/beams/test_url").get_json()["streams"][2]["closed"] is True
    assert is_beam_error(with_f.put("stream_4", {}), 404)
    assert is_beam_error(with_f.put("stream_3", {"index": 2}), 400)
    assert is_beam_error(with_f.put("data", {}), 404)

    with_f.put_packets(0, [1, 2])
    dry = with_f.client.delete("/beams/test_url/video?dry_run")
    assert dry.get_json() == {"streams": 1, "elements": 2, "payloadBytes": 0}
    assert with_f.client.delete("/beams/test_url/video").status_code == 204
    assert with_f.get("video").status_code == 404
    assert with_f.get("audio").get_json()["index"] == 1
    assert with_f.put("stream_0", {}).status_code == 201


def test_a_body_over_the_limit_is_refused(beam: Beam) -> None:
    limit = beam.bench.settings.http.max_document_bytes

    response = beam.client.post("/beams", data=b" " * (limit + 1), content_type="application/json")

    assert is_beam_error(response, 413)
