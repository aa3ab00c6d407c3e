"""Damaged Savant messages are read or refused: the library's panics never reach anybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.messaging.sockets.codec import Glance, UnreadableRecord
from jobengine.messaging.sockets.codecs import decoder
from jobengine.messaging.sockets.savant_envelope import open_envelope
from tests.integration.sockets import savant

pytestmark = pytest.mark.needs("savant_rs")


PLACES = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255))


@given(st.lists(PLACES, min_size=1, max_size=4))
def test_a_damaged_message_is_read_or_refused(damages: list[tuple[float, int]]) -> None:
    frame = savant.frame()
    frame.set_attribute(savant.attribute("a", "b", 1))
    message = bytearray(savant.packed(frame.to_message()))
    for place, value in damages:
        message[int(place * len(message))] = value
    codec = decoder("savant")
    codec.glance(bytes(message))
    try:
        codec.read(bytes(message), ())
    except UnreadableRecord:
        return


@pytest.mark.parametrize("record", [b"", b"xx", b"\n\x050.2.0", b"\x00" * 50, b"\xff" * 12, b"J\xff\x01"])
def test_what_is_no_message_is_unreadable(record: bytes) -> None:
    assert decoder("savant").glance(record) is Glance.UNREADABLE
    with pytest.raises(UnreadableRecord):
        open_envelope(record)


def test_another_version_is_told_from_ours() -> None:
    message = savant.packed(savant.primitives.EndOfStream("cam").to_message())
    envelope = open_envelope(message)
    assert envelope.packed() == message
    envelope.version = b"0.0.0"
    assert decoder("savant").glance(envelope.packed()) is Glance.OTHER_VERSION
    assert decoder("savant").glance(message) is Glance.END


@given(st.binary(max_size=100))
def test_any_bytes_have_an_envelope_or_none(record: bytes) -> None:
    try:
        envelope = open_envelope(record)
    except UnreadableRecord:
        return
    assert open_envelope(envelope.packed()) == envelope
