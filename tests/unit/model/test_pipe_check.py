"""What keeps an effective pipe specification from being run, with the pointer to each fault."""

from __future__ import annotations

from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

import pytest

from jobengine.model.pipe import PipeSpec, check_pipe
from jobengine.model.roots import MediaRoots

ROOTS = MediaRoots(PurePosixPath("/data/media"), (PurePosixPath("/srv/audio"),))
GOOD: dict[str, Any] = {
    "inputGraph": [{"name": "In", "filter": [{"name": "FileReader", "filePath": "a.wav"}]}],
    "mixer": {"outputLevel": [{"graph": "Out", "level": 0.5}]},
    "outputGraph": [
        {
            "name": "Out",
            "format": {"sampleRate": 48_000, "resolution": 24, "channels": 2},
            "filter": [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": "/srv/audio/b.wav"}],
        }
    ],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """`GOOD` with the member at ``path`` replaced."""
    document = deepcopy(GOOD)
    *way, last = path.split("/")
    place: Any = document
    for key in way:
        place = place[int(key) if isinstance(place, list) else key]
    place[int(last) if isinstance(place, list) else last] = value
    return document


def pointers(document: dict[str, Any]) -> list[str]:
    return [fault.pointer for fault in check_pipe(PipeSpec.model_validate(document), ROOTS)]


def test_complete_specification_has_no_faults() -> None:
    assert pointers(GOOD) == []
    assert pointers(GOOD | {"mixer": None, "outputGraph": []}) == []


OUT_FILTER = "outputGraph/0/filter"
WRITER = {"name": "FileWriter", "filePath": "x.wav"}


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("inputGraph", [], "/inputGraph"),
        ("inputGraph/0/name", None, "/inputGraph/0/name"),
        ("outputGraph/0/name", "In", "/outputGraph/0/name"),
        ("inputGraph/0/filter", [], "/inputGraph/0/filter"),
        ("inputGraph/0/filter", [WRITER], "/inputGraph/0/filter/0"),
        ("inputGraph/0/filter/0/filePath", "../a.wav", "/inputGraph/0/filter/0/filePath"),
        ("inputGraph/0/filter/0/filePath", "/etc/passwd", "/inputGraph/0/filter/0/filePath"),
        ("inputGraph/0/filter/0/filePath", None, "/inputGraph/0/filter/0/filePath"),
        ("inputGraph/0/format", {"channels": 2}, "/inputGraph/0/format"),
        ("inputGraph/0/duration", "00:00", "/inputGraph/0/duration"),
        ("outputGraph/0/duration", "00:01", "/outputGraph/0/duration"),
        (OUT_FILTER, [], "/outputGraph/0/filter"),
        (OUT_FILTER, [WRITER], "/outputGraph/0/filter/0"),
        (OUT_FILTER, [{"name": "WAVDest"}], "/outputGraph/0/filter/0"),
        (OUT_FILTER, [{"name": "WAVDest"}, {"name": "SoundMapper"}], "/outputGraph/0/filter/0"),
        ("outputGraph/0/filter/1/filePath", "http://x/y.wav", "/outputGraph/0/filter/1/filePath"),
        ("outputGraph/0/format/sampleRate", 3_999, "/outputGraph/0/format/sampleRate"),
        ("outputGraph/0/format/resolution", 8, "/outputGraph/0/format/resolution"),
        ("outputGraph/0/format/channels", 0, "/outputGraph/0/format/channels"),
        ("mixer/outputLevel/0/graph", "In", "/mixer/outputLevel/0/graph"),
        ("mixer/outputLevel/0/level", None, "/mixer/outputLevel/0/level"),
    ],
)
def test_fault_is_found_at_its_place(path: str, value: Any, pointer: str) -> None:
    assert pointers(changed(path, value))[:1] == [pointer]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *(("input", name) for name in ("Out", "Other", None)),
        *(("output", name) for name in ("In", "Other", None)),
        *(("inChannel", channel) for channel in (None, 128)),
        *(("outChannel", channel) for channel in (None, 2)),
    ],
)
def test_crosspoint_fault_is_found_at_its_place(member: str, value: Any) -> None:
    point = {"input": "In", "inChannel": 7, "output": "Out", "outChannel": 1, "gain": 1}
    assert pointers(changed("mixer", {"matrix": [point]})) == []
    assert pointers(changed("mixer", {"matrix": [point | {member: value}]})) == [f"/mixer/matrix/0/{member}"]


def test_cutting_needs_a_sole_file() -> None:
    document = changed("inputGraph/0/startOffset", "00:01")
    assert pointers(document) == []
    document["inputGraph"].append({"name": "Tone", "filter": [{"name": "Audio Synthesizer"}]})
    assert pointers(document) == ["/inputGraph/0/startOffset"]


@pytest.mark.parametrize(("key", "value"), [("resolution", 32), ("channels", 9)])
def test_flac_has_its_limits(key: str, value: int) -> None:
    document = changed("outputGraph/0/filter/0", {"name": "FLAC"})
    document["outputGraph"][0]["format"][key] = value
    assert pointers(document) == [f"/outputGraph/0/format/{key}"]


@pytest.mark.parametrize(
    "source",
    [
        "amovie=/etc/passwd",
        "movie=x",
        "sine,volume=2",
        "sine[a];[a]anull",
        "sine=f='1'",
        "sine=f=1\\:2",
        "sine=/frequency=/etc/passwd",
        "sine=d=1:/f=x",
        "sine=f=1\nmovie",
        "",
    ],
)
def test_generator_is_never_more_than_a_generator(source: str) -> None:
    document = changed("inputGraph/0/filter/0", {"name": "Audio Synthesizer", "source": source})
    assert pointers(document) == ["/inputGraph/0/filter/0/source"]


@pytest.mark.parametrize(
    "source", ["sine", "sine=frequency=1000:beep_factor=4", "aevalsrc=sin(440*2*PI*t)|0.1/2"]
)
def test_generators_are_accepted(source: str) -> None:
    assert pointers(changed("inputGraph/0/filter/0", {"name": "Audio Synthesizer", "source": source})) == []
