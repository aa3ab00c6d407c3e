"""Stock Savant peers: a stock reader takes what we send, a stock writer feeds what we receive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import zmq

from jobengine.clock import SystemClock
from jobengine.errors import SinkError
from jobengine.messaging.sockets.codec import Record
from jobengine.messaging.sockets.codecs import decoder, encoder
from jobengine.messaging.sockets.pool import SinkPool
from jobengine.messaging.sockets.reader import Outcome, Received, SocketReader
from jobengine.messaging.sockets.savant_envelope import open_envelope
from jobengine.messaging.sockets.sink import SocketSink, open_socket_sink
from jobengine.model.attribute import Attribute
from jobengine.model.element import Element, ElementKind
from jobengine.model.message import Message, Rewrite, labels_of, message_of
from jobengine.model.socket_options import SinkOptions, SourceOptions
from jobengine.model.socket_url import reader_url
from jobengine.model.topic_filter import TopicFilter
from jobengine.ports.sink import SinkStream
from tests.integration.sockets import savant
from tests.waiting import PATIENCE_MS, wait_until

pytestmark = pytest.mark.needs("savant_rs")
EVERYTHING = TopicFilter()
PAIRS = [("dealer", "router"), ("req", "rep"), ("pub", "sub")]
CARS = {
    "namespace": "detector",
    "name": "cars",
    "values": [{"confidence": 0.5, "value": {"Integer": 3}}],
    "hint": "hint",
    "isPersistent": True,
    "isHidden": False,
}
DOCUMENT = {
    "type": "Stream",
    "time_base": [1, 1000],
    "avg_frame_rate": [25, 1],
    "codecpar": {"codec_type": "video", "name": "mjpeg", "width": 64, "height": 48},
}


@pytest.fixture
def pool(zeromq: zmq.Context[Any]) -> Iterator[SinkPool]:
    pool = SinkPool(zeromq, SystemClock())
    yield pool
    pool.close()


PATIENT = SinkOptions(send_timeout_ms=PATIENCE_MS, receive_timeout_ms=PATIENCE_MS)


def open_sink(pool: SinkPool, url: str, name: str = "out") -> SocketSink:
    return open_socket_sink(pool, url, PATIENT, "savant", SinkStream(name, {}, DOCUMENT))


def read(message: Any, *parts: bytes) -> Record:
    return decoder("savant").read(savant.packed(message), parts)


def deliver(sink: SocketSink, count: int) -> None:
    def step() -> bool:
        sink.poll()
        return sink.delivered >= count

    wait_until(step, f"{count} delivered")


def received_by(reader: Any, sink: SocketSink) -> Any:
    def step() -> Any:
        sink.poll()
        result = reader.try_receive()
        return result if hasattr(result, "message") else None

    return wait_until(step, "a message at the reader")


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_stock_reader_takes_what_we_send(pool: SinkPool, folder: Path, ours: str, theirs: str) -> None:
    stored = savant.frame()
    stored.set_attribute(savant.attribute("detector", "cars", 3))
    message = stored.to_message()
    message.labels = ["night"]
    record = read(message, b"pixels", b"more")
    assert record.element is not None
    with savant.reading(f"{theirs}+bind:ipc://{folder}/s") as reader:
        sink = open_sink(pool, f"{ours}+connect:ipc://{folder}/s", "vod")
        wait_until(lambda: sink.is_ready, "the reader")
        assert sink.offer([record.element], [record.planes])
        assert sink.offer_end(["last"], b"")
        first = received_by(reader, sink)
        second = received_by(reader, sink)
        deliver(sink, 2)
    frame = first.message.as_video_frame()
    assert (bytes(first.topic), frame.source_id, frame.uuid) == (b"vod", "vod", stored.uuid)
    assert [first.data(index) for index in range(first.data_len())] == [b"pixels", b"more"]
    assert (first.message.labels, frame.attributes) == (["night"], [("detector", "cars")])
    assert (frame.pts, frame.keyframe, frame.creation_timestamp_ns) == (
        stored.pts,
        stored.keyframe,
        stored.creation_timestamp_ns,
    )
    assert second.message.as_end_of_stream().source_id == "vod"
    assert second.message.labels == ["last"]
    assert first.message.validate_seq_id()
    assert second.message.validate_seq_id()
    assert sink.retries == 0


def read_from(
    theirs: str, reader: SocketReader, writer: Any, message: Any
) -> tuple[list[Received], list[Any]]:
    """A message and an end of a stock writer, and what it says of the first and the last."""
    received: list[Received] = []
    results: list[Any] = []

    def receive() -> list[Received]:
        reader.wait(10)
        for each in reader.receive(10):
            reader.confirm(each)
            received.append(each)
        return received

    def has_frame() -> bool:
        """A publisher doesn't wait for its subscribers, so it says it again."""
        if theirs == "pub" or not results:
            results.append(writer.send_message("cam", message, b"pixels"))
        return bool(receive())

    wait_until(lambda: receive() or reader.peers, "the writer")
    wait_until(has_frame, "a frame")
    results.append(writer.send_eos("cam"))
    wait_until(lambda: receive()[-1].outcome is Outcome.END, "its end")
    return received, [results[0].get(), results[-1].get()]


@pytest.mark.parametrize(
    ("theirs", "ours", "results"),
    [
        ("dealer", "router", ["WriterResultSuccess", "WriterResultAck"]),
        ("req", "rep", ["WriterResultAck", "WriterResultAck"]),
        ("pub", "sub", ["WriterResultSuccess", "WriterResultSuccess"]),
    ],
)
def test_a_stock_writer_feeds_what_we_receive(
    zeromq: zmq.Context[Any], folder: Path, theirs: str, ours: str, results: list[str]
) -> None:
    url = reader_url(f"{ours}+bind:ipc://{folder}/s")
    reader = SocketReader(zeromq, url, SourceOptions(), EVERYTHING, decoder("savant"), SystemClock())
    sent = savant.frame(dts=20_000)
    sent.set_attribute(savant.attribute("detector", "cars", 3))
    message = sent.to_message()
    message.labels = ["night"]
    try:
        with savant.writing(f"{theirs}+connect:ipc://{folder}/s") as writer:
            received, told = read_from(theirs, reader, writer, message)
    finally:
        reader.close()
    assert [type(each).__name__ for each in told] == results
    assert {each.outcome for each in received[:-1]} == {Outcome.TAKEN}
    record = decoder("savant").read(received[0].record, received[0].parts)
    assert record.element is not None
    assert record.element == Element(
        ElementKind.PACKET,
        pts=40_000,
        dts=20_000,
        duration=40_000,
        is_key=True,
        plane_sizes=(6,),
        attributes=record.element.attributes,
        element_id=UUID(sent.uuid).bytes,
    )
    assert (record.source, labels_of(record.element.attributes)) == ("cam", ["night"])
    assert msgspec.msgpack.decode(record.element.attributes)["attributes"] == [CARS]


def test_a_stored_message_goes_out_as_it_came(pool: SinkPool) -> None:
    message = savant.frame().to_message()
    record = read(message, b"pixels")
    assert record.element is not None
    codec = encoder("savant", SinkStream("cam", {}, {}))
    frames = codec.element(record.element, record.planes)
    again = decoder("savant").read(bytes(frames[1]), frames[2:])
    assert again.sequence == 1
    came = open_envelope(savant.packed(message))
    assert came.packed() == savant.packed(message)
    came.sequence = 1
    assert bytes(frames[1]) == came.packed()


def test_a_stock_reader_hears_each_of_several_sinks_that_take_turns_on_a_topic(
    pool: SinkPool, folder: Path
) -> None:
    url, stream = f"dealer+connect:ipc://{folder}/s", SinkStream("vod", {}, DOCUMENT)
    with savant.reading(f"router+bind:ipc://{folder}/s") as reader:
        for options in (SinkOptions(), SinkOptions(send_hwm=10), SinkOptions()):
            record = read(savant.frame().to_message(), b"pixels")
            assert record.element is not None
            sink = open_socket_sink(pool, url, options, "savant", stream)
            assert sink.offer([record.element], [record.planes])
            frame = received_by(reader, sink).message.as_video_frame()
            assert UUID(frame.uuid).bytes == record.element.element_id
            sink.close()


BOX = {"xc": 1, "yc": 2.0, "width": 3.0, "height": 4.0}


@pytest.mark.parametrize(
    "value",
    [
        {"BBox": BOX},
        {"BBox": {**BOX, "angle": None}},
        {"BBoxVector": [{**BOX, "angle": 5}]},
        {"Bytes": [[2, 1], [0, 255]]},
        {"Intersection": {"kind": "Enter", "edges": [[1, "gate"], [2, None]]}},
        {"None": None},
        {"Polygon": {"vertices": [{"x": 0, "y": 0.5}], "tags": [None]}},
    ],
)
def test_values_of_every_shape_reach_a_stock_reader(
    pool: SinkPool, folder: Path, value: dict[str, Any]
) -> None:
    record = read(savant.frame().to_message(), b"pixels")
    assert record.element is not None
    said = Attribute.model_validate({"namespace": "n", "name": "m", "values": [{"value": value}]})
    given = Rewrite(attributes=(said.model_dump(mode="json", by_alias=True),)).of(record.element)
    with savant.reading(f"router+bind:ipc://{folder}/s") as reader:
        sink = open_sink(pool, f"dealer+connect:ipc://{folder}/s")
        assert sink.offer([given], [record.planes])
        frame = received_by(reader, sink).message.as_video_frame()
    [received] = frame.get_attribute("n", "m").values
    assert next(iter(value)) in str(received.json)


def test_a_value_that_savant_does_not_take_is_named(pool: SinkPool) -> None:
    record = read(savant.frame().to_message(), b"pixels")
    assert record.element is not None
    given = Rewrite(attributes=({**CARS, "values": [{"value": {"Later": 1}}]},)).of(record.element)
    with pytest.raises(SinkError, match="has an attribute detector/cars that Savant's library does not take"):
        encoder("savant", SinkStream("cam", {}, {})).element(given, record.planes)


def test_a_message_whose_times_were_moved_says_so(pool: SinkPool, folder: Path) -> None:
    record = read(savant.frame(pts=90_000, dts=50_000).to_message(), b"pixels")
    assert record.element is not None
    moved = Rewrite().of(Rewrite().of(record.element, -70_000), 20_000)
    assert (moved.pts, moved.dts) == (40_000, 0)
    with savant.reading(f"router+bind:ipc://{folder}/s") as reader:
        sink = open_sink(pool, f"dealer+connect:ipc://{folder}/s", "cam")
        assert sink.offer([moved], [record.planes])
        frame = received_by(reader, sink).message.as_video_frame()
    assert (frame.pts, frame.dts, frame.duration, frame.uuid) == (
        40_000,
        0,
        40_000,
        str(UUID(bytes=record.element.element_id)),
    )


def test_a_time_that_savant_does_not_know_is_refused_in_words(pool: SinkPool) -> None:
    record = read(savant.frame(pts=40_000).to_message(), b"pixels")
    assert record.element is not None
    moved = Rewrite().of(record.element, -50_000)
    with pytest.raises(SinkError, match="time -10000"):
        encoder("savant", SinkStream("cam", {}, {})).element(moved, record.planes)


@pytest.mark.parametrize(("collision", "number"), [("replace", 9), ("keep", 3)])
def test_attributes_and_labels_of_a_job_reach_the_reader(
    pool: SinkPool, folder: Path, collision: Any, number: int
) -> None:
    stored = savant.frame()
    stored.set_attribute(savant.attribute("detector", "cars", 3))
    record = read(stored.to_message(), b"pixels")
    assert record.element is not None
    given = [
        {
            "namespace": namespace,
            "name": "cars",
            "values": [
                {"confidence": None, "value": {"Integer": 9}},
                {"confidence": None, "value": {"None": None}},
            ],
            "hint": None,
            "isPersistent": True,
            "isHidden": False,
        }
        for namespace in ("detector", "job")
    ]
    rewrite = Rewrite(labels=("a", "b"), append=True, attributes=tuple(given), collision=collision)
    with savant.reading(f"router+bind:ipc://{folder}/s") as reader:
        sink = open_sink(pool, f"dealer+connect:ipc://{folder}/s")
        wait_until(lambda: sink.is_ready, "the reader")
        assert sink.offer([rewrite.of(record.element)], [record.planes])
        received = received_by(reader, sink)
    frame = received.message.as_video_frame()
    assert received.message.labels == ["a", "b"]
    assert frame.get_attribute("detector", "cars").values[0].as_integer() == number
    ours = frame.get_attribute("job", "cars")
    assert (ours.values[0].as_integer(), ours.values[1].is_none()) == (9, True)


def test_a_value_that_savant_does_not_know_fails_the_sink(pool: SinkPool) -> None:
    record = read(savant.frame().to_message())
    assert record.element is not None
    said = {"namespace": "a", "name": "b", "values": [{"confidence": None, "value": {"Complex": 1}}]}
    members = {"hint": None, "isPersistent": True, "isHidden": False}
    rewritten = Rewrite(attributes=({**said, **members},)).of(record.element)
    sink = open_sink(pool, "dealer+connect:tcp://127.0.0.1:9")
    with pytest.raises(SinkError, match="Complex"):
        sink.offer([rewritten], [()])


def test_pixels_inside_of_a_message_become_the_payload_and_go_back(pool: SinkPool, folder: Path) -> None:
    content = savant.primitives.VideoFrameContent.internal(b"pixels inside")
    record = read(savant.frame(content=content).to_message())
    assert record.element is not None
    assert list(record.planes) == [b"pixels inside"]
    assert b"pixels inside" not in record.element.attributes
    with savant.reading(f"router+bind:ipc://{folder}/s") as reader:
        sink = open_sink(pool, f"dealer+connect:ipc://{folder}/s", "cam")
        wait_until(lambda: sink.is_ready, "the reader")
        assert sink.offer([record.element], [record.planes])
        received = received_by(reader, sink)
    assert received.data_len() == 0
    assert bytes(received.message.as_video_frame().content.get_data()) == b"pixels inside"


def test_packets_from_elsewhere_become_frames(pool: SinkPool, folder: Path) -> None:
    element = Element(ElementKind.PACKET, 80, dts=40, duration=40, is_key=True, element_id=bytes(range(16)))
    with savant.reading(f"router+bind:ipc://{folder}/s") as reader:
        sink = open_sink(pool, f"dealer+connect:ipc://{folder}/s")
        wait_until(lambda: sink.is_ready, "the reader")
        assert sink.offer([element], [[b"jpeg"]])
        frame = received_by(reader, sink).message.as_video_frame()
    assert (frame.source_id, frame.codec, frame.width, frame.height) == ("out", "jpeg", 64, 48)
    assert (frame.time_base, frame.pts, frame.dts, frame.duration) == ((1, 1000), 80, 40, 40)
    assert (frame.framerate, frame.keyframe, UUID(frame.uuid).bytes) == ("25/1", True, element.element_id)


def test_user_data_keeps_what_it_says_under_another_name(pool: SinkPool, folder: Path) -> None:
    data = savant.primitives.UserData("cam")
    data.set_attribute(savant.attribute("a", "b", 7))
    record = read(data.to_message())
    assert record.element is not None
    assert message_of(record.element) is Message.USER_DATA
    with savant.reading(f"router+bind:ipc://{folder}/s") as reader:
        sink = open_sink(pool, f"dealer+connect:ipc://{folder}/s")
        wait_until(lambda: sink.is_ready, "the reader")
        assert sink.offer([record.element], [()])
        received = received_by(reader, sink).message.as_user_data()
    assert (received.source_id, received.get_attribute("a", "b").values[0].as_integer()) == ("out", 7)


def test_sound_is_refused(pool: SinkPool) -> None:
    stream = SinkStream("out", {}, {"codecpar": {"codec_type": "audio", "name": "aac"}})
    sink = open_socket_sink(pool, "dealer+connect:tcp://127.0.0.1:9", SinkOptions(), "savant", stream)
    with pytest.raises(SinkError, match="Savant carries video; this stream is audio"):
        sink.offer([Element(ElementKind.PACKET, 0)], [[b"x"]])
