"""Which streams of a source a rendition's streams are made of.

``{"video": "video", 1: "audio_2", "stream_2": ["audio[0]", "audio_1[3]"]}``: the target's stream on the left;
on the right a stream of the source, one channel of it (``name[n]``, from 0), or a list whose channels are
put side by side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobengine.contents.catalogue import Content
from jobengine.contents.stream_names import stream_index
from jobengine.errors import MalformedError, NotFoundError

Json = Any
MAX_PICKS = 64
_PICK = re.compile(r"(?P<stream>[^\[\]]+)(?:\[(?P<channel>\d{1,3})\])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pick:
    """A stream of the source, or one of its channels (from 0)."""

    stream: int
    channel: int | None


def read_stream_map(
    given: Mapping[str, Json], source: Content, target: Content
) -> dict[int, tuple[Pick, ...]]:
    """The map by indexes. Raises MalformedError, telling the place of what is wrong."""
    found: dict[int, tuple[Pick, ...]] = {}
    for name, picks in given.items():
        place = f"stream_map/{name}"
        index = _index(target, str(name), place)
        if index in found:
            raise MalformedError(
                f"{place}: stream {index} of {target.name!r} is mapped by another name already"
            )
        found[index] = _picks(picks, source, place)
    return found


def _picks(given: Json, source: Content, place: str) -> tuple[Pick, ...]:
    picks = given if isinstance(given, list) else [given]
    if not 1 <= len(picks) <= MAX_PICKS:
        raise MalformedError(f"{place}: names {len(picks)} streams; 1 to {MAX_PICKS} may be put together")
    read = tuple(_pick(pick, source, place) for pick in picks)
    if len(read) > 1:
        for pick in read:
            _channels(source, pick.stream, place)
    return read


def _pick(given: Json, source: Content, place: str) -> Pick:
    is_name = isinstance(given, str | int) and not isinstance(given, bool)
    match = _PICK.fullmatch(str(given)) if is_name else None
    if match is None:
        raise MalformedError(
            f"{place}: {given!r} does not name a stream; such as audio, 2, audio_1[0] or a list of these"
        )
    index = _index(source, match["stream"], place)
    if match["channel"] is None:
        return Pick(index, None)
    channel, channels = int(match["channel"]), _channels(source, index, place)
    if channel >= channels:
        text = f"stream {index} of {source.name!r} has {channels} channels from 0, so there is no {channel}"
        raise MalformedError(f"{place}: {text}")
    return Pick(index, channel)


def _index(content: Content, name: str, place: str) -> int:
    try:
        return stream_index(content, name)
    except NotFoundError:
        raise MalformedError(f"{place}: {content.name!r} has no stream {name!r}") from None


def _channels(content: Content, index: int, place: str) -> int:
    stream = content.streams[index] or {}
    parameters = stream.get("codecpar") or {}
    channels = parameters.get("channels")
    if parameters.get("codec_type") != "audio" or not isinstance(channels, int):
        text = f"stream {index} of {content.name!r} is not sound with a known number of channels"
        raise MalformedError(f"{place}: {text}; only channels can be picked or put side by side")
    return channels
