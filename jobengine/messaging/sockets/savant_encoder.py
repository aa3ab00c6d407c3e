"""Writes Savant's messages of one stream.

A message that was stored goes out as it came, with the name, labels and attributes of its element and a
sequence id of this stream: the library is asked only where the frame itself changes. Packets of video
from elsewhere become frames of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from jobengine.errors import SinkError
from jobengine.messaging.sockets import savant_library as library
from jobengine.messaging.sockets.codec import UnreadableRecord
from jobengine.messaging.sockets.savant_envelope import USER_DATA, Envelope, open_envelope
from jobengine.model.element import Element
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import SinkStream

Json = Any
NAMES: Final = {"mjpeg": "jpeg"}
"""Codecs that Savant calls otherwise than FFmpeg."""

_decode = msgspec.msgpack.Decoder(dict[str, Any]).decode


class SavantEncoder:
    """Writes one stream. Raises MediaError without the library."""

    def __init__(self, stream: SinkStream) -> None:
        self._stream = stream
        self._topic = stream.name.encode()
        self._sender = str(uuid4()).encode()
        self._sequence = 0
        self._end = open_envelope(library.save(library.primitives().EndOfStream(stream.name).to_message()))

    def element(self, element: Element, planes: Sequence[Buffer]) -> Sequence[Buffer]:
        members = _decode(element.attributes) if element.attributes else {}
        kept = members.get("savant")
        try:
            if kept is None:
                envelope = self._make(element, members)
            else:
                envelope, planes = self._take_up(element, kept, members, planes)
        except (UnreadableRecord, ValueError) as error:
            raise SinkError(f"an element {error}") from error
        return (self._topic, self._sealed(envelope, members.get("labels", ())), *planes)

    def end(self, labels: Sequence[str]) -> Sequence[Buffer]:
        record = self._sealed(self._end, labels)
        self._sequence = 0
        return self._topic, record

    def _sealed(self, envelope: Envelope, labels: Sequence[str]) -> bytes:
        self._sequence += 1
        envelope.labels = list(labels)
        envelope.sequence = self._sequence
        if envelope.sender:
            envelope.sender = self._sender
        return envelope.packed()

    def _take_up(
        self,
        element: Element,
        kept: Mapping[str, Json],
        members: Mapping[str, Json],
        planes: Sequence[Buffer],
    ) -> tuple[Envelope, Sequence[Buffer]]:
        """A stored message, changed where its element was; the pixels that were inside go back there."""
        envelope = open_envelope(kept["message"])
        wanted = members.get("attributes", ())
        is_internal = bool(kept.get("internal") and planes)
        is_moved = bool(members.get("shift"))
        if kept["source"] == self._stream.name and not (wanted or is_internal or is_moved):
            return envelope, planes
        message = library.load(kept["message"])
        if envelope.content_field == USER_DATA:
            return self._renamed_data(message.as_user_data(), envelope), planes
        frame = message.as_video_frame()
        frame.source_id = self._stream.name
        if is_moved:
            _set_times(frame, element)
        for said in library.differing(wanted, frame) if wanted else ():
            frame.set_attribute(library.attribute(said))
        if is_internal:
            frame.content = library.primitives().VideoFrameContent.internal(bytes(planes[0]))
        changed = open_envelope(library.save(message))
        return changed, () if is_internal else planes

    def _renamed_data(self, data: Any, envelope: Envelope) -> Envelope:
        renamed = library.primitives().UserData(self._stream.name)
        for name in data.attributes:
            renamed.set_attribute(data.get_attribute(*name))
        envelope.content = open_envelope(library.save(renamed.to_message())).content
        return envelope

    def _make(self, element: Element, members: Mapping[str, Json]) -> Envelope:
        """A frame of Savant for a packet of video that never was one."""
        document = self._stream.document
        parameters = document.get("codecpar", {})
        if parameters.get("codec_type", "video") != "video":
            raise SinkError(f"Savant carries video; this stream is {parameters['codec_type']}")
        primitives = library.primitives()
        name = parameters.get("name")
        rate = document.get("avg_frame_rate") or document.get("r_frame_rate") or (0, 1)
        frame = primitives.VideoFrame(
            source_id=self._stream.name,
            framerate=f"{rate[0]}/{rate[1]}",
            width=parameters.get("width", 0),
            height=parameters.get("height", 0),
            content=primitives.VideoFrameContent.external("zeromq", None),
            transcoding_method=primitives.VideoFrameTranscodingMethod.Copy,
            codec=NAMES.get(name, name),
            keyframe=element.is_key,
            time_base=tuple(document.get("time_base", (1, 1_000_000))),
            pts=element.pts or 0,
            dts=element.dts,
            duration=element.duration,
        )
        for said in members.get("attributes", ()):
            frame.set_attribute(library.attribute(said))
        envelope = open_envelope(library.save(frame.to_message()))
        if element.element_id:
            identity = str(UUID(bytes=element.element_id)).encode()
            envelope.content = envelope.content.replace(frame.uuid.encode(), identity, 1)
        return envelope


def _set_times(frame: Any, element: Element) -> None:
    """The times of an element that was moved. Raises UnreadableRecord for what the library would panic at."""
    for ticks in (element.pts, element.dts):
        if ticks is not None and ticks < 0:
            raise UnreadableRecord(f"would have the time {ticks}, and Savant's library moves none below 0")
    frame.pts, frame.dts = element.pts, element.dts
