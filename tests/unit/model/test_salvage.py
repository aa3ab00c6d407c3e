"""Faults of shape hide no faults of meaning, and invent none."""

from __future__ import annotations

from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.errors import DocumentError
from jobengine.model.check import Surroundings
from jobengine.model.document import JobDocument, read
from jobengine.model.roots import MediaRoots
from jobengine.model.salvage import further_faults

AROUND = Surroundings(MediaRoots(PurePosixPath("/data/media")), "studio")
PIPE = "/transitions/0/jobDescription/pipeSpec"


def job(**members: Any) -> dict[str, Any]:
    """A job whose source lies outside the roots, and nothing else is wrong."""
    reader = {"name": "FileReader", "filePath": "/etc/passwd", **members}
    writer = {"name": "FileWriter", "filePath": "a.wav"}
    form = {"sampleRate": 48_000, "resolution": 16, "channels": 2}
    pipe = {
        "inputGraph": [{"name": "In", "filter": [reader]}],
        "mixer": {"outputLevel": [{"graph": "Out", "level": 0.5}]},
        "outputGraph": [{"name": "Out", "format": form, "filter": [{"name": "WAVDest"}, writer]}],
    }
    start = {"type": "Immediate", "requestedProcState": "Start"}
    finish = {"type": "Duration", "duration": 5000, "requestedProcState": "Finish"}
    return {"transitions": [{"trigger": start, "jobDescription": {"pipeSpec": pipe}}, {"trigger": finish}]}


def told(document: Any) -> list[str]:
    """Pointers of the faults of shape, then of the others; [] if the shape is right."""
    try:
        read(JobDocument, document)
    except DocumentError as error:
        faults = [*error.faults, *further_faults(document, error.faults, AROUND)]
        return [fault.pointer for fault in faults]
    return []


def changed(path: str, value: Any) -> dict[str, Any]:
    document: Any = job()
    place = document
    *way, last = path.split("/")[1:]
    for key in way:
        place = place[int(key) if isinstance(place, list) else key]
    place[int(last) if isinstance(place, list) else last] = value
    return dict(document)


OUTSIDE = f"{PIPE}/inputGraph/0/filter/0/filePath"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/transitions/1/trigger/duration", "soon"),
        ("/transitions/1/trigger/type", "Someday"),
        ("/nmae", "x"),
        ("/restartPolicy", "sometimes"),
        ("/transitions/0/info", 5),
        (f"{PIPE}/inputGraph/0/filter/0/startOffset", "now"),
        (f"{PIPE}/outputGraph/0/format/sampleRate", "fast"),
        (f"{PIPE}/mixer/outputLevel/0/level", "loud"),
    ],
)
def test_a_fault_of_shape_elsewhere_hides_no_other(path: str, value: Any) -> None:
    assert told(changed(path, value)) == [path, OUTSIDE]


def test_a_trigger_that_is_wrong_still_counts_as_the_one_that_starts() -> None:
    document = changed("/transitions/0/trigger/type", "Someday")
    assert told(document) == ["/transitions/0/trigger/type", OUTSIDE]
    del document["transitions"][0]["trigger"]["requestedProcState"]
    assert OUTSIDE not in told(document)


def test_of_a_place_that_was_left_out_nothing_more_is_told() -> None:
    assert told(changed(OUTSIDE, 7)) == [OUTSIDE]


@pytest.mark.parametrize(
    "path",
    [f"{PIPE}/outputGraph/0/name", f"{PIPE}/inputGraph", "/transitions/0/jobDescription", "/transitions"],
)
def test_where_others_depend_on_what_is_wrong_no_guess_is_told(path: str) -> None:
    assert told(changed(path, 5)) == [path]


def test_what_was_posted_stays_as_it_is() -> None:
    posted = job(startOffset="now")
    before = deepcopy(posted)
    assert told(posted)[-1] == OUTSIDE
    assert posted == before


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
PLACES = [
    "/transitions/0", "/transitions/0/trigger", "/transitions/0/trigger/type", "/transitions/1/trigger",
    "/transitions/0/jobDescription", PIPE, f"{PIPE}/inputGraph", f"{PIPE}/inputGraph/0", f"{PIPE}/mixer",
    f"{PIPE}/inputGraph/0/filter", f"{PIPE}/inputGraph/0/filter/0", f"{PIPE}/outputGraph/0/format",
]  # fmt: skip


@given(path=st.sampled_from(PLACES), value=json, other=st.sampled_from(PLACES), extra=json)
def test_whatever_stands_anywhere_is_told_without_a_crash(
    path: str, value: Any, other: str, extra: Any
) -> None:
    document = changed(path, value)
    if not other.startswith(path):
        place: Any = document
        *way, last = other.split("/")[1:]
        for key in way:
            place = place[int(key) if isinstance(place, list) else key]
        place[int(last) if isinstance(place, list) else last] = extra
    assert len(told(document)) == len(set(told(document)))
