"""Stock Savant readers and writers of the library ``savant_rs``, as the other end of our sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.needs import is_there
from tests.waiting import PATIENCE_MS

if is_there("savant_rs"):
    import savant_rs  # noqa: F401 - makes the modules below importable
    from savant_rs import primitives as primitives
    from savant_rs import zmq
    from savant_rs.utils.serialization import save_message_to_bytes

READ_TIMEOUT_MS = 50
"""How long the thread of a stock reader sleeps, which is how long its shutdown takes."""


def frame(source: str = "cam", pts: int = 40_000, **members: Any) -> Any:
    """A frame whose pixels travel beside it."""
    said = {
        "source_id": source,
        "framerate": "25/1",
        "width": 1280,
        "height": 720,
        "content": primitives.VideoFrameContent.external("zeromq", None),
        "transcoding_method": primitives.VideoFrameTranscodingMethod.Copy,
        "codec": "h264",
        "keyframe": True,
        "time_base": (1, 1_000_000),
        "pts": pts,
        "dts": None,
        "duration": 40_000,
    }
    return primitives.VideoFrame(**(said | members))


def attribute(namespace: str, name: str, number: int) -> Any:
    """An attribute with one number."""
    values = [primitives.AttributeValue.integer(number, confidence=0.5)]
    return primitives.Attribute(namespace, name, values, "hint", True, False)


def packed(message: Any) -> bytes:
    """A message as it goes over the wire."""
    return bytes(save_message_to_bytes(message))


@contextmanager
def writing(url: str) -> Iterator[Any]:
    """A stock writer."""
    config = zmq.WriterConfigBuilder(url)
    config.with_receive_timeout(PATIENCE_MS)
    writer = zmq.NonBlockingWriter(config.build(), 100)
    writer.start()
    try:
        yield writer
    finally:
        writer.shutdown()


@contextmanager
def reading(url: str) -> Iterator[Any]:
    """A stock reader."""
    config = zmq.ReaderConfigBuilder(url)
    config.with_receive_timeout(READ_TIMEOUT_MS)
    reader = zmq.NonBlockingReader(config.build(), 100)
    reader.start()
    try:
        yield reader
    finally:
        reader.shutdown()
