"""Filters that play and record contents: what is refused before a job is stored."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from pydantic import ValidationError

from jobengine.model.pipe import PipeSpec, check_pipe
from jobengine.model.roots import MediaRoots

ROOTS = MediaRoots(PurePosixPath("/media"))


def faults(source: dict[str, Any], sink: dict[str, Any], form: Any = None) -> list[tuple[str, str]]:
    document = {
        "inputGraph": [{"name": "In", "filter": [{"name": "ContentSource", **source}]}],
        "outputGraph": [{"name": "Out", "format": form, "filter": [{"name": "contentwriter", **sink}]}],
    }
    return [(f.pointer, f.detail) for f in check_pipe(PipeSpec.model_validate(document), ROOTS)]


def test_a_content_is_played_into_another() -> None:
    source = {"content": "a", "Stream": "audio_1", "from": "1m30s", "to": "last", "realTime": "true"}
    assert faults(source, {"content": "b", "codec": "opus", "bitRate": "96000"}, {"sampleRate": 48000}) == []


@pytest.mark.parametrize(
    ("source", "sink", "form", "pointer", "reason"),
    [
        ({}, {}, None, "/inputGraph/0/filter/0/content", "is missing"),
        ({"to": "2s", "follow": True}, {}, None, "/inputGraph/0/filter/0/follow", "leave out either"),
        ({}, {"content": ""}, None, "/outputGraph/0/filter/0/content", "is missing"),
        ({}, {"content": "x" * 401}, None, "/outputGraph/0/filter/0/content", "longer than 400 bytes"),
        ({}, {"bitRate": 64000}, None, "/outputGraph/0/filter/0/bitRate", "is for aac, opus and mp3"),
        ({}, {"codec": "mp3"}, {"channels": 6}, "/outputGraph/0/format/channels", "at most 2"),
        ({}, {"codec": "flac"}, {"resolution": 32}, "/outputGraph/0/format/resolution", "16, 24 bit"),
        ({}, {"codec": "aac"}, {"resolution": 16}, "/outputGraph/0/format/resolution", "means nothing"),
        ({}, {"codec": "opus"}, {"sampleRate": 44100}, "/outputGraph/0/format/sampleRate", "48000 Hz"),
    ],
)
def test_what_can_not_be_is_named(
    source: dict[str, Any], sink: dict[str, Any], form: Any, pointer: str, reason: str
) -> None:
    given = source if pointer.endswith("/0/content") and "input" in pointer else {"content": "a", **source}
    found = dict(faults(given, {"content": "b", **sink}, form))
    assert reason in found[pointer]


@pytest.mark.parametrize("reference", ["1s-2s", "1st-3rd", "42f", "42+1d", "noon"])
def test_a_moment_is_one_moment(reference: str) -> None:
    with pytest.raises(ValidationError, match=r"one moment or element|expected|refers"):
        faults({"content": "a", "from": reference}, {"content": "b"})


@pytest.mark.parametrize("member", [{"stream": -1}, {"stream": 65_536}, {"codec": "vorbis"}, {"bitRate": 1}])
def test_values_out_of_range_are_refused(member: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        faults({"content": "a"}, {"content": "b", **member})
