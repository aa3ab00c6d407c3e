"""Which stream of a content a name means: by index, by type, or the one that people would take first.

``stream_1``, ``stream1``, ``1``; ``video``, ``audio_2`` (from 0), ``attachment``, ``unknown``; ``default``
is the first video, else the first audio. A ``.json`` at the end is dropped. Words are of lower case.
"""

from __future__ import annotations

import re

from jobengine.contents.catalogue import Content
from jobengine.errors import NotFoundError
from jobengine.model.beam.streams import KINDS, kind_of_stream

ALL = "all"
"""Every stream of a content at once; not a name of one."""
RELATIONS = ("equivalent", "rendition", "transformation")
"""Words that stand where a stream's name would, so no stream is called so."""
_INDEX = re.compile(r"(?:stream_?)?(?P<index>[0-9]{1,9})")
_KIND = re.compile(rf"(?P<kind>{'|'.join(KINDS)}|unknown)(?:_(?P<number>[0-9]{{1,9}}))?")


def is_stream_name(text: str) -> bool:
    """Whether ``text`` reads as the name of a stream, of all, or of a relation."""
    name = text.removesuffix(".json")
    return name in (ALL, "default", *RELATIONS) or bool(_INDEX.fullmatch(name) or _KIND.fullmatch(name))


def stream_index(content: Content, name: str) -> int:
    """The index of the stream that ``name`` means. Raises NotFoundError."""
    bare = name.removesuffix(".json")
    found = _find(content, bare)
    if found is None:
        hint = "; it stands for every stream, to read their elements" if bare == ALL else ""
        raise NotFoundError(f"content {content.name!r} has no stream {name!r}{hint}")
    return found


def named_index(name: str) -> int | None:
    """The index that a name says itself, whether there is such a stream or not; None for other names."""
    match = _INDEX.fullmatch(name.removesuffix(".json"))
    return int(match["index"]) if match else None


def default_index(content: Content) -> int | None:
    """The first video, else the first audio."""
    for kind in ("video", "audio"):
        for index in _of_kind(content, kind):
            return index
    return None


def _find(content: Content, name: str) -> int | None:
    if name == "default":
        return default_index(content)
    index = named_index(name)
    if index is not None:
        return index if index < len(content.streams) and content.streams[index] is not None else None
    match = _KIND.fullmatch(name)
    if match is None:
        return None
    found, number = _of_kind(content, match["kind"]), int(match["number"] or 0)
    return found[number] if number < len(found) else None


def _of_kind(content: Content, kind: str) -> list[int]:
    return [
        index
        for index, stream in enumerate(content.streams)
        if stream is not None and kind_of_stream(stream) == kind
    ]
