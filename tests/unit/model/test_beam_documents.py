"""Documents of the Content Beam API: kept as sent, checked where they are known."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.errors import MalformedError
from jobengine.model.beam.elements import read_element, to_document, to_element
from jobengine.model.beam.formats import check_name, place_streams, read_format
from jobengine.model.beam.streams import kind_of_stream, time_base_of
from jobengine.model.beam.values import bytes_of, pack, unpack
from jobengine.model.element import PTS_MAX, PTS_MIN, ElementKind

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
PACKET = {
    "type": "Packet",
    "stream_index": 3,
    "pts": 42,
    "dts": 43,
    "size": 16383,
    "flags": {"KEY": True, "CORRUPT": False, "DISCARD": False, "TRUSTED": True, "DISPOSABLE": False},
    "side_data": {"type": "PacketSideData", "replaygain": {"type": "Buffer", "data": [0, 1, 255]}},
    "duration": 44,
    "pos": 45,
}
FRAME: dict[str, Any] = {
    "type": "Frame",
    "stream_index": 0,
    "linesize": [1920, 960, 960],
    "pts": 42,
    "width": 1920,
    "height": 1080,
    "format": "yuv420p",
    "buf_sizes": [2073600, 1036800, 1036800],
}


@pytest.mark.parametrize(
    "sent",
    [
        PACKET,
        FRAME,
        {"type": "Packet"},
        {"type": "Packet", "pts": 9876543210, "dts": None},
        {"type": "Packet", "duration": 0, "pos": -1, "flags": {"KEY": True}},
        {"type": "Packet", "vendor": {"x": [1, None, {"type": "Buffer", "data": [7]}]}},
        {"type": "Frame", "pts": -5, "key_frame": True, "buf_sizes": []},
        {"type": "Frame", "key_frame": False, "metadata": {"a": "b"}, "id": ID},
        {"type": "Packet", "pts": PTS_MIN, "dts": PTS_MAX},
    ],
)
def test_what_was_sent_of_an_element_comes_back(sent: dict[str, Any]) -> None:
    element = to_element(read_element(sent))

    assert to_document(element, sent.get("stream_index", 0)) == {"stream_index": 0, **sent}


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PTS = st.integers(PTS_MIN, PTS_MAX)
PACKETS = st.fixed_dictionaries(
    {"type": st.just("Packet"), "stream_index": st.just(5)},
    optional={
        "pts": PTS,
        "dts": st.none() | PTS,
        "duration": PTS,
        "size": st.integers(0, 2**32 - 1),
        "flags": st.dictionaries(st.sampled_from(["KEY", "TRUSTED"]), st.booleans()),
        "pos": PTS,
        "vendor": JSON,
    },
)


@given(PACKETS)
def test_any_packet_comes_back_as_it_was_sent(sent: dict[str, Any]) -> None:
    assert to_document(to_element(read_element(sent)), 5) == sent


def test_what_a_store_knows_is_told_to_it() -> None:
    packet, frame = to_element(read_element(PACKET)), to_element(read_element(FRAME))

    assert (packet.kind, packet.pts, packet.dts, packet.duration) == (ElementKind.PACKET, 42, 43, 44)
    assert (packet.is_key, packet.plane_sizes) == (True, (16383,))
    assert (frame.kind, frame.is_key) == (ElementKind.FRAME, True)
    assert frame.plane_sizes == tuple(FRAME["buf_sizes"])
    assert b"\x00\x01\xff" in packet.attributes


def test_base64_comes_back_as_a_buffer() -> None:
    element = to_element(read_element({"type": "Packet", "side_data": {"palette": "AAH/"}}))

    assert to_document(element, 0)["side_data"] == {"palette": {"type": "Buffer", "data": [0, 1, 255]}}


@pytest.mark.parametrize("version", [1, 4])
def test_an_id_of_another_version_is_taken_and_comes_back(version: int) -> None:
    given = str(UUID(int=UUID(ID).int, version=version))

    assert to_document(to_element(read_element({"type": "Packet", "id": given})), 0)["id"] == given


def test_an_id_is_shown_if_it_was_given_or_is_asked_for() -> None:
    given = to_element(read_element({"type": "Packet", "id": ID.upper()}))
    silent = to_element(read_element({"type": "Packet"}))

    assert to_document(given, 0)["id"] == ID
    assert "id" not in to_document(silent, 0, with_id=True)


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ([], ""),
        ("text", ""),
        ({"type": "Wibble"}, "/type"),
        ({"type": []}, "/type"),
        ({}, "/type"),
        ({"type": "Packet", "pts": PTS_MAX + 1}, "/pts"),
        ({"type": "Packet", "pts": 1.5}, "/pts"),
        ({"type": "Packet", "pts": True}, "/pts"),
        ({"type": "Packet", "stream_index": -1}, "/stream_index"),
        ({"type": "Packet", "flags": {"KEY": 1}}, "/flags/KEY"),
        ({"type": "Packet", "side_data": {"x": "%"}}, "/side_data"),
        ({"type": "Packet", "id": "0"}, "/id"),
        ({"type": "Packet", "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c"}, "/id"),
        ({"type": "Packet", "data": "AAAA"}, "/data"),
        ({"type": "Frame", "buf_sizes": [1, -1]}, "/buf_sizes/1"),
        ({"type": "Frame", "channel_layout": []}, "/channel_layout"),
    ],
)
def test_a_wrong_element_is_refused_with_the_place(value: Any, pointer: str) -> None:
    with pytest.raises(MalformedError) as refused:
        read_element(value)

    assert refused.value.facts["errors"][0]["pointer"] == pointer


def test_a_format_keeps_members_that_are_not_known() -> None:
    sent = {
        "type": "demuxer",
        "url": "one",
        "interleaved": True,
        "max_ts_probe": 50,
        "priv_data": {"scan": True, "n": 1.5},
        "streams": [{"type": "Stream", "index": 0, "codecpar": {"codec_type": "video", "vendor": 1}}],
    }

    document = read_format(sent)

    streams = place_streams(document.streams)
    assert {**document.document(), "streams": streams} == sent


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"type": "wibble"}, "/type"),
        ([], ""),
        ({"type": "format", "streams": {}}, "/streams"),
        ({"type": "format", "streams": [{"type": "Packet"}]}, "/streams/0/type"),
        ({"type": "format", "streams": [{"time_base": [1, 0]}]}, "/streams/0/time_base"),
        ({"type": "format", "streams": [{"index": 1}, {}]}, "/streams/1/index"),
        ({"type": "format", "streams": [{"codecpar": {"profile": []}}]}, "/streams/0/codecpar/profile"),
        ({"type": "format", "url": ".."}, "/url"),
        ({"type": "format", "url": "x" * 401}, "/url"),
        ({"type": "format", "key": {"type": "Buffer", "data": [256]}}, "/key"),
        ({"type": "format", "payloadAgeS": 0}, "/payloadAgeS"),
    ],
)
def test_a_wrong_format_is_refused_with_the_place(value: Any, pointer: str) -> None:
    with pytest.raises(MalformedError) as refused:
        read_format(value)

    assert refused.value.facts["errors"][0]["pointer"] == pointer


def test_streams_stand_at_their_index() -> None:
    placed = place_streams(read_format({"type": "format", "streams": [{"index": 2}, {"index": 0}]}).streams)

    assert placed == [{"type": "Stream", "index": 0}, None, {"type": "Stream", "index": 2}]


@pytest.mark.parametrize("name", ["a b/c?d", "file:///x/y.mp4", "ä€🎬", "...", "x.json", "-1", "%2F"])
def test_nearly_any_name_will_do(name: str) -> None:
    check_name(name)


def test_a_stream_says_its_kind_and_time_base() -> None:
    assert kind_of_stream({"codecpar": {"codec_type": "attachment"}}) == "attachment"
    assert kind_of_stream({"codecpar": {"codec_type": "else"}}) == kind_of_stream({}) == "unknown"
    assert time_base_of({"time_base": [1, 25]}) == 1 / time_base_of({"time_base": [25, 1]})  # type: ignore[operator]
    assert time_base_of({}) is time_base_of({"time_base": [0, 1]}) is None


@given(st.binary())
def test_binary_values_are_packed_as_bytes(data: bytes) -> None:
    value = {"a": [{"type": "Buffer", "data": list(data)}]}

    assert pack(value) == {"a": [data]}
    assert unpack(pack(value)) == value
    assert bytes_of(value["a"][0]) == data


@pytest.mark.parametrize(
    ("streams", "told"),
    [({}, "/streams: should be an array"), ([None], "/streams/0: should be an object")],
)
def test_faults_are_told_in_the_words_of_json(streams: Any, told: str) -> None:
    with pytest.raises(MalformedError) as raised:
        read_format({"type": "format", "streams": streams})

    assert raised.value.detail == told
