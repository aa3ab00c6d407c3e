"""The sources by filter. A further source is one class in one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from jobengine.errors import MediaError
from jobengine.media.content_player import ContentPlayer
from jobengine.media.devices import refuse_device
from jobengine.media.file_reader import FileSource
from jobengine.media.source import Source, SourceContext
from jobengine.media.synthesizer import open_synthesizer
from jobengine.model.filters.content_source import ContentSource
from jobengine.model.filters.devices import AsioSource, Device, WasapiSource
from jobengine.model.filters.file_reader import FileReader
from jobengine.model.filters.filter import Filter
from jobengine.model.filters.synthesizer import AudioSynthesizer


def _refuse(source: Device, context: SourceContext) -> NoReturn:
    refuse_device(source, context.host)


SOURCES: dict[type[Filter], Callable[[Any, SourceContext], Source]] = {
    FileReader: FileSource,
    ContentSource: ContentPlayer,
    AudioSynthesizer: open_synthesizer,
    AsioSource: _refuse,
    WasapiSource: _refuse,
}


def open_source(source: Filter, context: SourceContext) -> Source:
    """The opened and probed source of a filter. Raises MediaError."""
    if type(source) not in SOURCES:
        raise MediaError(f"{source.name} is not a source")
    return SOURCES[type(source)](source, context)
