"""Cases D: payloads in and out."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from jobengine.clock import SystemClock, to_us
from jobengine.rest.beams.hot_payloads import HotPayloads
from jobengine.rest.beams.payload_answer import PayloadAnswer
from tests.unit.rest.beams.beam import K_BYTES, OCTETS, R_PLANES, R_SIZES, Beam, F, K, R, is_beam_error

SIZES = str(R_SIZES)


@pytest.fixture
def packet(with_f: Beam) -> Beam:
    """F with K on stream 0, described only."""
    with_f.put("0/packet_42", {**K, "stream_index": 0})
    return with_f


@pytest.fixture
def frame(with_f: Beam) -> Beam:
    """F with R on stream 0, described only."""
    with_f.put("0/frame_42", R)
    return with_f


@pytest.fixture
def small(with_f: Beam) -> Beam:
    """F with a frame of the planes ``aaaa``, ``bb``, ``cc`` on stream 0."""
    with_f.put("0/frame_42", {**R, "buf_sizes": [4, 2, 2]})
    with_f.put_data("0/frame_42/data", b"aaaabbcc")
    return with_f


def test_an_answer_without_a_body_has_no_media_type(packet: Beam) -> None:
    answers = [
        packet.put_data("0/packet_42/data", K_BYTES[:16383]),
        packet.bench.client.delete("/beams/test_url/0/packet_42/data"),
    ]

    assert [(answer.status_code, answer.data) for answer in answers] == [(201, b""), (204, b"")]
    assert not any("Content-Type" in answer.headers for answer in answers)


@pytest.mark.parametrize("end", [".raw", ".raw_0", ".raw0", ".raw_", "/data", "/data_0", "/data0", "/data/"])
def test_d1_and_d2_a_packet_is_read(packet: Beam, end: str) -> None:
    packet.put_data("0/packet_42/data", K_BYTES, Beam_Buf_Size="16383")

    response = packet.get(f"video/packet_42{end}")

    assert (response.status_code, response.mimetype, response.data) == (200, OCTETS, K_BYTES[:16383])
    assert response.headers["Content-Length"] == "16383"
    assert response.headers["Beam-PTS"] == "42"


def test_padding_of_a_decoder_is_not_sent(packet: Beam) -> None:
    packet.put_data("0/packet_42/data", K_BYTES)

    assert packet.get("0/packet_42/data").data == K_BYTES[:16383]


@pytest.mark.parametrize("path", ["packet_42.raw_1", "packet_42/data_1", "packet_41.raw", "frame_42.raw"])
def test_d4_what_is_not_there_is_not_found(packet: Beam, path: str) -> None:
    packet.put_data("0/packet_42/data", K_BYTES)

    assert is_beam_error(packet.get(f"0/{path}"), 404)


@pytest.mark.parametrize("end", [".raw", "/data"])
def test_d5_all_planes_of_a_frame(frame: Beam, end: str) -> None:
    frame.put_data("0/frame_42/data", b"".join(R_PLANES), Beam_Buf_Sizes=SIZES)

    response = frame.get(f"0/frame_42{end}")

    assert (response.status_code, len(response.data)) == (200, 4147200)
    assert response.data == b"".join(R_PLANES)
    assert response.headers["Beam-Buf-Sizes"] == "[2073600,1036800,1036800]"
    assert response.headers["Beam-Data-Index"] == ""
    assert response.headers["Beam-PTS"] == "42"


@pytest.mark.parametrize("end", [".raw_2", "/data_2", ".raw2"])
def test_d7_one_plane_of_a_frame(small: Beam, end: str) -> None:
    response = small.get(f"0/frame_42{end}")

    assert (response.status_code, response.data) == (200, b"cc")
    assert (response.headers["Beam-Data-Index"], response.headers["Beam-Buf-Sizes"]) == ("2", "[2]")


@pytest.mark.parametrize("path", ["frame_41.raw", "frame_42.raw_3", "packet_42.raw"])
def test_d8_other_frames_and_planes_are_not_found(small: Beam, path: str) -> None:
    assert is_beam_error(small.get(f"0/{path}"), 404)


def test_d10_without_one_plane_there_is_no_frame(with_f: Beam) -> None:
    with_f.put("0/frame_42", {**R, "buf_sizes": [4, 2, 2]})
    assert with_f.put_data("0/frame_42.raw_0", b"aaaa").status_code == 201
    assert with_f.put_data("0/frame_42/data_2", b"cc").status_code == 201

    assert is_beam_error(with_f.get("0/frame_42.raw"), 404)
    assert is_beam_error(with_f.get("0/frame_42.raw_1"), 404)
    assert with_f.get("0/frame_42.raw_2").data == b"cc"
    assert with_f.put_data("0/frame_42/data_1", b"bb").status_code == 201
    assert with_f.get("0/frame_42.raw").data == b"aaaabbcc"


def test_d11_head_tells_what_get_would(packet: Beam) -> None:
    packet.put_data("0/packet_42/data", K_BYTES)
    address = "/beams/test_url/0/packet_42.raw"

    head, got = packet.client.head(address), packet.client.get(address)

    assert (head.status_code, head.data) == (200, b"")
    ignored = {"X-Request-Id"}
    assert {n: v for n, v in head.headers if n not in ignored} == {
        n: v for n, v in got.headers if n not in ignored
    }


def test_d13_a_payload_is_stored_then_replaced(packet: Beam) -> None:
    first = packet.put_data("0/packet_42/data", K_BYTES, Beam_Buf_Size="16383")
    second = packet.put_data("0/packet_42/data", b"x" * 16383, Beam_Buf_Size="16383")

    assert [(each.status_code, each.data) for each in (first, second)] == [(201, b""), (200, b"")]
    assert packet.get("0/packet_42/data").data == b"x" * 16383


@pytest.mark.parametrize("path", ["0/packet_42/data_0", "0/packet_42.raw", "video/packet_42.raw_0"])
def test_d14_a_payload_has_several_addresses(packet: Beam, path: str) -> None:
    assert packet.put_data(path, K_BYTES).status_code == 201
    assert packet.get("0/packet_42/data").data == K_BYTES[:16383]


def test_a_header_tells_the_kind_of_a_bare_pts(with_f: Beam) -> None:
    with_f.put("0/packet_42", {"type": "Packet"})
    with_f.put("0/frame_42", {**R, "buf_sizes": [1, 1]})

    assert with_f.put_data("0/42/data", b"packet", Beam_Buf_Size="6").status_code == 201
    assert with_f.put_data("0/42.raw", b"fr", Beam_Buf_Sizes="[1,1]").status_code == 201
    assert is_beam_error(with_f.put_data("0/42/data", b"x"), 400)
    assert with_f.get("0/packet_42.raw").data == b"packet"
    assert with_f.get("0/frame_42.raw_1").data == b"r"


@pytest.mark.parametrize(
    ("path", "data", "headers", "status"),
    [
        ("packet_43/data", b"x", {}, 404),
        ("packet_43/data", b"x", {"Beam_Buf_Size": "2"}, 400),
        ("packet_42/data", b"x", {"Beam_Buf_Size": "2"}, 400),
        ("packet_42/data", b"x", {"Beam_Buf_Size": "-1"}, 400),
        ("packet_42/data", b"x", {"Beam_Buf_Size": "x"}, 400),
        ("packet_42/data", b"x", {"Beam_Buf_Size": "[1,0]"}, 400),
        ("packet_42/data_1", b"x", {}, 400),
        ("packet_42.raw_1", b"x", {}, 400),
        ("packet_42/wibble", b"x", {}, 400),
        ("packet_42/data?expires_s=0", b"x", {}, 400),
        ("first/data", b"x", {}, 400),
        ("packet_42/data", b"x", {"content_type": "text/plain"}, 400),
        ("packet_42/data", b"x", {"content_type": ""}, 400),
    ],
)
def test_d16_to_d19_a_wrong_packet_payload_changes_nothing(
    packet: Beam, path: str, data: bytes, headers: dict[str, str], status: int
) -> None:
    assert is_beam_error(packet.put_data(f"0/{path}", data, **headers), status)
    assert is_beam_error(packet.get("0/packet_42/data"), 404)


def test_d20_and_d22_planes_are_stored(frame: Beam) -> None:
    whole = b"".join(R_PLANES)
    assert frame.put_data("0/frame_42/data", whole, Beam_Buf_Sizes=SIZES).status_code == 201
    assert frame.put_data("0/frame_42.raw", whole).status_code == 200

    assert [frame.get(f"0/frame_42/data_{k}").data for k in range(3)] == R_PLANES


@pytest.mark.parametrize(
    ("path", "data", "headers", "status"),
    [
        ("frame_43/data", b"x", {}, 404),
        ("frame_42/data", b"aaaabbcc", {"Beam_Buf_Sizes": "[4,2,3]"}, 400),
        ("frame_42/data", b"aaaabbcc", {"Beam_Buf_Sizes": "[4,2]"}, 400),
        ("frame_42/data", b"aaaabbcc", {"Beam_Buf_Sizes": "wibble"}, 400),
        ("frame_42/data", b"aaaabbcc", {"Beam_Buf_Sizes": "[]"}, 400),
        ("frame_42/data", b"aaaabbcc", {"Beam_Buf_Sizes": "[1.5]"}, 400),
        ("frame_42/data", b"aaaabbc", {}, 400),
        ("frame_42/data", b"aaaabbccc", {}, 400),
        ("frame_42/data", b"aaaabbcc", {"Beam_Buf_Sizes": "[4,2,1]"}, 400),
        ("frame_42/data", b"aaaabbcc", {"Beam_Buf_Sizes": "[3,2,2]"}, 400),
        ("frame_42/data_0", b"aaa", {}, 400),
        ("frame_42.raw_1", b"", {}, 400),
        ("frame_42/data_1", b"bb", {"Beam_Buf_Sizes": "[1]"}, 400),
        ("frame_42/data_3", b"cc", {}, 400),
        ("frame_42/data_1", b"bbcc", {"Beam_Buf_Sizes": "[2,2]"}, 400),
        ("frame_42/data_100", b"bbcc", {}, 400),
    ],
)
def test_d23_to_d26_a_wrong_frame_payload_changes_nothing(
    with_f: Beam, path: str, data: bytes, headers: dict[str, str], status: int
) -> None:
    with_f.put("0/frame_42", {**R, "buf_sizes": [4, 2, 2]})

    assert is_beam_error(with_f.put_data(f"0/{path}", data, **headers), status)
    assert is_beam_error(with_f.get("0/frame_42/data"), 404)


def test_d28_a_payload_may_come_in_chunks(packet: Beam) -> None:
    builder = EnvironBuilder(
        "/beams/test_url/0/packet_42/data", method="PUT", input_stream=BytesIO(K_BYTES), content_type=OCTETS
    )
    environ = builder.get_environ() | {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    del environ["CONTENT_LENGTH"]

    _, status, _ = run_wsgi_app(packet.client.application, environ)

    assert status == "201 CREATED"
    assert packet.get("0/packet_42/data").data == K_BYTES[:16383]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"CONTENT_LENGTH": "4"}, id="of its length"),
        pytest.param({"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, id="of what is described"),
    ],
)
def test_an_upload_that_breaks_off_changes_nothing(packet: Beam, told: dict[str, str]) -> None:
    packet.put_data("0/packet_42/data", b"whole")
    builder = EnvironBuilder(
        "/beams/test_url/0/packet_42/data", method="PUT", input_stream=BytesIO(b"par"), content_type=OCTETS
    )
    environ = builder.get_environ() | {"wsgi.input_terminated": True, **told}

    _, status, _ = run_wsgi_app(packet.client.application, environ)

    assert status == "400 BAD REQUEST"
    assert packet.get("0/packet_42/data").data == b"whole"


@pytest.mark.parametrize(
    ("header", "text", "status"),
    [
        ("Content-Encoding", "gzip", 415),
        ("Content-Range", "bytes 0-2/9", 400),
        ("If-Match", '"tag"', 400),
        ("If-None-Match", "*", 400),
        ("Beam-Buf-Size", "[" * 5000, 400),
    ],
)
def test_what_a_header_says_of_an_upload_is_not_passed_over(
    packet: Beam, header: str, text: str, status: int
) -> None:
    assert is_beam_error(packet.put_data("0/packet_42/data", b"abc", **{header: text}), status)
    assert is_beam_error(packet.get("0/packet_42/data"), 404)


def test_a_body_that_is_not_coded_may_say_so(packet: Beam) -> None:
    assert packet.put_data("0/packet_42/data", b"abc", Content_Encoding="identity").status_code == 201


def test_a_payload_over_the_limit_is_refused(packet: Beam, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = packet.bench.settings.contents
    monkeypatch.setitem(settings.__dict__, "max_payload_bytes", 10)

    assert is_beam_error(packet.put_data("0/packet_42/data", b"x" * 11), 413)
    assert packet.put_data("0/packet_42/data", b"x" * 10).status_code == 201


@pytest.mark.parametrize(
    ("given", "status", "body", "content_range"),
    [
        ("bytes=0-0", 206, b"a", "bytes 0-0/8"),
        ("bytes=1-18446744073709551615", 206, b"aaabbcc", "bytes 1-7/8"),
        ("bytes=3-5", 206, b"abb", "bytes 3-5/8"),
        ("bytes=5-", 206, b"bcc", "bytes 5-7/8"),
        ("bytes=-3", 206, b"bcc", "bytes 5-7/8"),
        ("Bytes=5-", 206, b"bcc", "bytes 5-7/8"),
        ("bytes=-99", 206, b"aaaabbcc", "bytes 0-7/8"),
        ("bytes=6-99", 206, b"cc", "bytes 6-7/8"),
        ("bytes=8-", 416, None, "bytes */8"),
        ("bytes=-0", 416, None, "bytes */8"),
        ("bytes=5-3", 200, b"aaaabbcc", None),
        ("bytes=0-1,3-4", 200, b"aaaabbcc", None),
        ("lines=0-1", 200, b"aaaabbcc", None),
        ("wibble", 200, b"aaaabbcc", None),
    ],
)
def test_ranges_of_bytes(
    small: Beam, given: str, status: int, body: bytes | None, content_range: str | None
) -> None:
    response = small.get("0/frame_42/data", headers={"Range": given})

    assert (response.status_code, response.headers.get("Content-Range")) == (status, content_range)
    if body is None:
        assert is_beam_error(response, 416)
    else:
        assert response.data == body
        assert response.headers["Content-Length"] == str(len(body))


def test_an_entity_tag_is_that_of_the_bytes(small: Beam) -> None:
    tag = small.get("0/frame_42/data").headers["ETag"]

    for wanted in (tag, f'"x", {tag}', "*"):
        assert small.get("0/frame_42/data", headers={"If-Match": wanted}).status_code == 200
    for other in ('"x"', f"W/{tag}"):
        assert is_beam_error(small.get("0/frame_42/data", headers={"If-Match": other}), 412)
    same = small.get("0/frame_42/data", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", tag)
    ranged = {"Range": "bytes=0-1", "If-Range": tag}
    assert small.get("0/frame_42/data", headers=ranged).status_code == 206
    small.put_data("0/frame_42/data_0", b"zzzz")
    assert small.get("0/frame_42/data", headers={"If-None-Match": tag}).data == b"zzzzbbcc"
    assert small.get("0/frame_42/data", headers=ranged).status_code == 200


def test_a_payload_goes_after_its_time_and_may_come_back(packet: Beam) -> None:
    before = SystemClock().now()
    packet.put_data("0/packet_42/data?expires_s=60", b"x")
    behind = SystemClock().now()

    packet.store.expire(to_us(before + timedelta(seconds=50)))
    assert packet.get("0/packet_42/data").status_code == 200
    packet.store.expire(to_us(behind + timedelta(seconds=70)))

    gone = packet.get("0/packet_42/data")
    assert is_beam_error(gone, 404)
    assert "not kept any more" in gone.get_json()["detail"]
    assert packet.get("0/packet_42").status_code == 200
    assert packet.put_data("0/packet_42/data", b"y").status_code == 201
    assert packet.get("0/packet_42/data").data == b"y"


def test_a_payload_that_is_read_to_be_kept_stays_longer(packet: Beam) -> None:
    packet.put_data("0/packet_42/data?expires_s=60", b"xyz")
    before = SystemClock().now()

    assert packet.get("0/packet_42/data?keep_s=5").data == b"xyz"
    assert packet.client.head("/beams/test_url/0/packet_42/data?keep_s=5000").status_code == 200
    assert packet.get("0/packet_42/data_0?keep_s=120", headers={"Range": "bytes=1-"}).data == b"yz"
    behind = SystemClock().now()
    packet.store.expire(to_us(before + timedelta(seconds=110)))
    assert packet.get("0/packet_42/data").data == b"xyz"
    packet.store.expire(to_us(behind + timedelta(seconds=130)))
    assert is_beam_error(packet.get("0/packet_42/data?keep_s=120"), 404)
    assert is_beam_error(packet.get("0/packet_42/data?keep_s=0"), 400)


def test_a_payload_is_kept_whatever_its_address(packet: Beam) -> None:
    packet.put_data("0/packet_42/data?expires_s=60", b"xyz")
    before = SystemClock().now()

    assert packet.get("0/packet_42.raw?keep_s=120").data == b"xyz"
    packet.store.expire(to_us(before + timedelta(seconds=110)))

    assert packet.get("0/packet_42.raw").data == b"xyz"
    assert is_beam_error(packet.get("0/packet_42?keep_s=120"), 400)


@pytest.mark.parametrize(
    ("kind", "setting"), [("packet", "packet_lifetime_s"), ("frame", "frame_lifetime_s")]
)
def test_each_kind_has_a_lifetime_of_its_own(
    with_f: Beam, monkeypatch: pytest.MonkeyPatch, kind: str, setting: str
) -> None:
    monkeypatch.setitem(with_f.bench.settings.contents.__dict__, setting, 10)
    for pts in (1, 2):
        with_f.put(f"0/{kind}_{pts}", {"type": kind.title()})
    with_f.put_data(f"0/{kind}_1/data", b"x")
    with_f.put_data(f"0/{kind}_2/data?expires_s=100", b"x")

    with_f.store.expire(to_us(SystemClock().now() + timedelta(seconds=20)))

    assert [with_f.get(f"0/{kind}_{pts}/data").status_code for pts in (1, 2)] == [404, 200]


def test_the_limits_of_a_content_bound_each_of_its_streams(with_f: Beam) -> None:
    for stream in (0, 1):
        for pts in range(4):
            with_f.put(f"{stream}/packet_{pts}", {"type": "Packet"})
            with_f.put_data(f"{stream}/packet_{pts}/data", b"12345678")
    with_f.client.patch("/beams/test_url", json={"payloadBytes": 16})

    with_f.store.expire(to_us(SystemClock().now()))

    for stream in (0, 1):
        assert with_f.times(f"{stream}/first-last") == [0, 1, 2, 3]
        states = [with_f.get(f"{stream}/packet_{pts}/data").status_code for pts in range(4)]
        assert states == [404, 404, 200, 200]


@pytest.mark.parametrize("end", [".raw", "/data"])
def test_a_payload_is_let_go(packet: Beam, end: str) -> None:
    packet.put_data("0/packet_42/data", b"x")

    assert packet.client.delete(f"/beams/test_url/0/packet_42{end}").status_code == 204

    assert packet.get("0/packet_42/data").status_code == 404
    assert packet.get("0/packet_42").status_code == 200
    assert is_beam_error(packet.client.delete(f"/beams/test_url/0/packet_42{end}"), 404)
    assert is_beam_error(packet.client.delete("/beams/test_url/0/packet_42.raw_0"), 400)


@pytest.mark.parametrize("query", ["dry_run=1", "dry_run=0", "tolerance_ms=5"])
@pytest.mark.parametrize("end", [".raw", "/data"])
def test_a_payload_is_never_let_go_by_who_only_asks(packet: Beam, end: str, query: str) -> None:
    packet.put_data("0/packet_42/data", b"x")
    answer = packet.client.delete(f"/beams/test_url/0/packet_42{end}?{query}")
    assert is_beam_error(answer, 400)
    assert packet.get(f"0/packet_42{end}").data == b"x"


def test_payloads_are_read_the_same_with_and_without_flask(small: Beam) -> None:
    app: Any = small.client.application
    front = app.wsgi_app
    for path, headers in (
        ("frame_42/data", {}),
        ("frame_42.raw_1", {}),
        ("frame_42/data", {"Range": "bytes=1-2"}),
        ("frame_42/data", {"If-None-Match": "*"}),
    ):
        address = f"/beams/test_url/0/{path}"
        quick = small.client.get(address, headers=headers)
        app.wsgi_app = front._app
        plain = small.client.get(address.replace(".raw_", "/data_"), headers=headers)
        app.wsgi_app = front

        assert (quick.status_code, quick.data) == (plain.status_code, plain.data)
        ignored = {"X-Request-Id"}
        assert {n: v for n, v in quick.headers if n not in ignored} == {
            n: v for n, v in plain.headers if n not in ignored
        }


def test_a_strange_host_gets_no_payload(small: Beam) -> None:
    response = small.get("0/frame_42/data", headers={"Host": "evil.example"})

    assert is_beam_error(response, 403)


def test_keys_hold_for_payloads(beam: Beam) -> None:
    viewer, operator = beam.bench.key("viewer"), beam.bench.key("operator")
    address = "/beams/test_url/0/packet_1"

    def call(method: str, path: str, key: str | None, **options: Any) -> int:
        headers = {} if key is None else {"X-API-Key": key}
        return beam.client.open(path, method=method, headers=headers, **options).status_code

    assert call("POST", "/beams", viewer, json=F) == 403
    assert call("POST", "/beams", operator, json=F) == 201
    assert call("PUT", address, operator, json={"type": "Packet"}) == 201
    assert call("PUT", f"{address}/data", operator, data=b"x", content_type=OCTETS) == 201
    assert [call("GET", f"{address}/data", key) for key in (None, "je_x_y", viewer)] == [401, 401, 200]
    assert [call("DELETE", f"{address}/data", key) for key in (None, viewer, operator)] == [401, 403, 204]
    assert call("GET", "/beams/nothing/of/the/kind/is/there", None) == 401


def test_an_answer_that_was_kept_is_never_stale(small: Beam) -> None:
    address = "0/frame_42/data"
    assert [small.get(address).data for _ in range(2)] == [b"aaaabbcc"] * 2

    small.put_data(address, b"zzzzyyxx")
    assert [small.get(address).data for _ in range(2)] == [b"zzzzyyxx"] * 2
    small.put("0/frame_42", {**R, "buf_sizes": [4, 2, 1]})
    assert small.get(address).data == b"zzzzyyx"
    small.client.delete("/beams/test_url")
    assert small.get(address).status_code == 404


def test_kept_answers_are_bounded() -> None:
    hot = HotPayloads(limit_bytes=100)
    answer = PayloadAnswer(200, {}, (b"x" * 20, b"y" * 20))

    for number in range(10):
        assert hot.keep(str(number), 1, answer).body == (b"x" * 20 + b"y" * 20,)
    kept = [number for number in range(10) if hot.get(str(number), 1)]
    assert kept == [8, 9]
    assert hot.get("9", 2) is None
    hot.keep("large", 1, PayloadAnswer(200, {}, (b"z" * 101,)))
    assert hot.get("large", 1) is None


def test_calls_past_flask_are_counted(small: Beam) -> None:
    small.get("0/frame_42/data")

    text = small.client.get("/metrics").text
    assert 'route="/beams/<content>/<stream>/<reference>/<data>",status="200"} 1.0' in text
