"""A stream of a content as the target of an output graph."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from jobengine.errors import MediaError
from jobengine.media.content_recorder import ContentRecorder
from jobengine.media.contents_port import Contents
from jobengine.media.target import Opened, SinkForm
from jobengine.model.filters.content_writer import ContentWriter
from jobengine.model.placeholder import fill_start_time


class ContentTarget:
    """A stream that is recorded; content and stream are made at the first Running."""

    def __init__(self, writer: ContentWriter, contents: Contents | None) -> None:
        if contents is None:
            raise MediaError("this service keeps no contents, so none can be recorded")
        self._writer, self._contents = writer, contents
        contents.check_recording(writer.content or "", writer.stream)

    def open(self, form: SinkForm, at: datetime, position: int) -> Opened:
        name = fill_start_time(self._writer.content or "", at)
        begin = round(Fraction(position * form.sample_rate, form.stream_rate))
        recorder = ContentRecorder(self._writer, form, self._contents, name, begin)
        return Opened(recorder, "content", None, recorder.url)
