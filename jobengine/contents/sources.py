"""Where the stream of a source is: sources of messages have ids, contents have names of their own."""

from __future__ import annotations

from jobengine.contents.catalogue import Catalogue
from jobengine.ports.contents import ContentStore, PutDocument

_SOURCES = "sources"


def source_write(source: str, content: str, index: int) -> PutDocument:
    """The write that says where a source is recorded; the last one to say so wins."""
    return PutDocument(_SOURCES, source, {"content": content, "stream": index}, None)


def find_stream_of(store: ContentStore, catalogue: Catalogue, source: str) -> tuple[str, int]:
    """The content and the index of the stream of a source.

    A source that nobody recorded is the content of its name, which may not be there (yet).
    """
    known = store.document(_SOURCES, source)
    if known is not None:
        content = catalogue.find(known.value["content"])
        index = known.value["stream"]
        if content is not None and index < len(content.streams) and content.streams[index] is not None:
            return content.name, index
    return source, 0
