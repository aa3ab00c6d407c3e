"""What making a stream has shown about it, noted in its document: decoders could not do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobengine.contents.catalogue import Content

Json = Any


def with_learnt(content: Content, index: int, learnt: Mapping[str, Json]) -> Content | None:
    """``content`` whose stream ``index`` says what was learnt; None if it says that, or otherwise."""
    stream = content.streams[index] or {}
    codec = stream.get("codecpar") or {}
    new = {name: value for name, value in learnt.items() if codec.get(name) is None}
    if not new:
        return None
    streams = list(content.streams)
    streams[index] = {**stream, "codecpar": {**codec, **new}}
    return replace(content, streams=tuple(streams))
