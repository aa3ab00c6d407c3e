"""Filter graphs as text: what they mean, and that nothing gets in that could read files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.errors import MalformedError
from jobengine.model.filter_graph import FILTERS, FilterGraph, Step, parse_graph


def test_a_chain_takes_its_source_and_leaves_its_result() -> None:
    assert parse_graph("scale=320:180,hflip", "video", 1) == FilterGraph(
        (Step("scale", "320:180", ("0",), ("~0",)), Step("hflip", "", ("~0",), ("~1",))), "~1"
    )


def test_labels_lead_anywhere() -> None:
    graph = parse_graph("[1]scale=64:64[small];[0][small]overlay=x=10:y=10[out]", "video", 2)

    assert [(step.name, step.inputs, step.outputs) for step in graph.steps] == [
        ("scale", ("1",), ("small",)),
        ("overlay", ("0", "small"), ("out",)),
    ]
    assert graph.result == "out"


def test_a_single_chain_without_labels_takes_all_sources() -> None:
    assert parse_graph("amix=inputs=3", "audio", 3).steps[0].inputs == ("0", "1", "2")


def test_quotes_and_backslashes_protect_signs() -> None:
    graph = parse_graph(r"volume='if(lt(t,1),0,1)':eval=frame,pan=mono|c0=c0\,", "audio", 1)

    assert [step.options for step in graph.steps] == ["if(lt(t,1),0,1):eval=frame", "mono|c0=c0,"]


@pytest.mark.parametrize(
    ("text", "kind", "sources", "told"),
    [
        (
            "movie=/etc/passwd",
            "video",
            1,
            "character 1 of the filter ('movie=/etc/p'): 'movie' is not a video",
        ),
        ("hflip,amovie=a.wav", "video", 1, "character 7"),
        ("drawtext=textfile=/etc/passwd", "video", 1, "'drawtext' is not a video filter"),
        ("volume=2", "video", 1, "'volume' is not a video filter that may be used; known are"),
        (
            "hflip,setpts=2*PTS",
            "video",
            1,
            "character 7 of the filter ('setpts=2*PTS'): 'setpts' changes when",
        ),
        ("atempo=2", "audio", 1, "parts that are made apart would not fit together"),
        ("", "video", 1, "must be the name of a filter"),
        ("hflip,", "video", 1, "character 7 of the filter (''): must be the name of a filter"),
        ("hflip]", "video", 1, "must be ';', ',' or the end"),
        ("[2]hflip", "video", 2, "nothing that is still free is called [2]"),
        ("[0]hflip;[0]vflip", "video", 1, "nothing that is still free is called [0]"),
        ("[0]hflip[1]", "video", 2, "[1] is there already"),
        ("[0]hflip", "video", 2, "left over: [1], [~0]"),
        ("[0]split[a][b]", "video", 1, "left over: [a], [b]"),
        ("hflip," * 100 + "hflip", "video", 1, "more than 100 steps"),
        ("x" * 5000, "video", 1, "has 5000 characters; 4000 are possible"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, kind: str, sources: int, told: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_graph(text, kind, sources)

    assert told in caught.value.detail


@given(st.text(alphabet="[]01a=,;:'\\ hflipscale/", max_size=60), st.integers(1, 3))
def test_no_text_names_another_filter_or_is_read_for_ever(text: str, sources: int) -> None:
    try:
        graph = parse_graph(text, "video", sources)
    except MalformedError:
        return
    assert {step.name for step in graph.steps} <= FILTERS["video"]


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("scale=20000:180", "20000"),
        ("scale=320:16385", "16385"),
        ("scale=w=320:height=1e5", "1e5"),
        ("scale=s=99999x2", "99999"),
        ("hflip,scale=99999x2", "99999"),
        ("pad=width=20000:h=2", "20000"),
    ],
)
def test_pictures_of_more_than_the_bound_are_refused_by_name(text: str, side: str) -> None:
    with pytest.raises(MalformedError, match=f"may make 16384 pixels a side at most, not {side}"):
        parse_graph(text, "video", 1)


@pytest.mark.parametrize("text", ["scale=16384:16384", "scale=iw*2:-1", "scale=-2:720:20000", "crop=20000:2"])
def test_pictures_within_the_bound_or_of_unknown_size_are_possible(text: str) -> None:
    assert len(parse_graph(text, "video", 1).steps) == 1
