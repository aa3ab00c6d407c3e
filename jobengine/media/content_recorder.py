"""Records blocks of sound into a stream of a contents store, as PCM or encoded.

Elements go to the store in groups: small ones when the pipe is paced by the clock, so that followers hear
soon; large ones when it runs as fast as it can. A group is durable or it is not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from jobengine.ids import new_element_id
from jobengine.media.block_encoders import Part, encoder_for
from jobengine.media.contents_port import Contents, RecordingWanted
from jobengine.media.gain import Samples
from jobengine.media.media_element import Buffer, skipping
from jobengine.media.target import SinkForm
from jobengine.model.element import Element, ElementKind
from jobengine.model.filters.content_writer import ContentWriter

_LIVE_GROUP_S = Fraction(1, 5)
_GROUP_BYTES = 1 << 20


class ContentRecorder:
    """A stream being recorded. Not thread-safe; `write` blocks while a group is made durable.

    ``begin`` is the first sample's place on the stream clock, at the rate of the recorded stream.
    """

    def __init__(
        self, writer: ContentWriter, form: SinkForm, contents: Contents, name: str, begin: int
    ) -> None:
        self.samples = 0
        self._encoder = encoder_for(writer, form)
        document = {
            "type": "Stream",
            "time_base": [1, form.sample_rate],
            "codecpar": {"type": "CodecParameters", "codec_type": "audio", **self._encoder.parameters},
        }
        wanted = RecordingWanted(name, writer.stream, form.graph, form.stream_rate, document)
        self._stream = contents.record(wanted)
        self.url = self._stream.url
        self._group: list[tuple[Element, tuple[Buffer]]] = []
        self._group_bytes = self._group_samples = 0
        self._most_samples = int(form.sample_rate * _LIVE_GROUP_S) if form.is_live else None
        self._first_pts = self._stream.first_pts + begin
        self._is_closed = False

    def write(self, block: Samples) -> None:
        """Append a block. Raises DiskFull or MediaError."""
        self._take(self._encoder.encode(block))
        self.samples += len(block)
        self._group_samples += len(block)
        if self._group_bytes >= _GROUP_BYTES or (
            self._most_samples is not None and self._group_samples >= self._most_samples
        ):
            self._hand_over()

    def close(self) -> None:
        """Write what is on its way and end the stream. Idempotent. Raises DiskFull or MediaError."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._take(self._encoder.finish())
            self._hand_over()
        finally:
            self._stream.close()

    def _take(self, parts: Iterable[Part]) -> None:
        for place, samples, payload in parts:
            element = Element(
                kind=ElementKind.PACKET,
                pts=self._first_pts + place,
                dts=self._first_pts + place,
                duration=samples,
                is_key=True,
                plane_sizes=(len(payload),),
                attributes=skipping(-place) if place < 0 else b"",
                element_id=new_element_id(),
            )
            self._group.append((element, (payload,)))
            self._group_bytes += len(payload)

    def _hand_over(self) -> None:
        if self._group:
            self._stream.append(self._group)
        self._group, self._group_bytes, self._group_samples = [], 0, 0
