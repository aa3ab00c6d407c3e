"""Pipe documents: what is accepted in which spelling, what is refused and where."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from jobengine.model.filters.registry import FILTERS, NOT_YET
from jobengine.model.pipe import MERGE_KEYS, PipeSpec, span_ms


def faults(document: dict[str, Any]) -> list[tuple[tuple[Any, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        PipeSpec.model_validate(document)
    return [(line["loc"], line["msg"]) for line in caught.value.errors()]


def one_filter(**members: Any) -> dict[str, Any]:
    return {"inputGraph": [{"filter": [members]}]}


def test_recording_sample_of_road_is_accepted_as_it_stands() -> None:
    sample = {
        "InputGraph": [
            {
                "Name": "Input",
                "Filter": [
                    {
                        "Name": "ASIO Source",
                        "Device": {"Name": "ASIO Hammerfall DSP", "Channels": "1, 2, 7"},
                        "Format": {"SampleRate": "Sample44100", "Resolution": "Res16Bit"},
                    }
                ],
            }
        ],
        "Mixer": {"Comment": "later", "Matrix": {"Comment": "define to connect"}},
        "OutputGraph": [
            {
                "Name": "Output",
                "Filter": [
                    {"Name": "WAVDest", "Clsid": "{7}", "Title": "Test", "WriteRf64": True}
                    | {"WriteLevlChunk": "true"},
                    {"Name": "FileWriter", "Clsid": "{8}", "Filepath": "\\\\fileserver1\\test\\file1.wav"},
                ],
                "Comment": "queue",
            }
        ],
    }
    assert PipeSpec.model_validate(sample).document() == {
        "inputGraph": [
            {
                "name": "Input",
                "filter": [
                    {
                        "name": "ASIO Source",
                        "device": {"name": "ASIO Hammerfall DSP", "channels": "1, 2, 7"},
                        "format": {"sampleRate": 44_100, "resolution": 16},
                    }
                ],
            }
        ],
        "mixer": {"matrix": []},
        "outputGraph": [
            {
                "name": "Output",
                "filter": [
                    {"name": "WAVDest", "title": "Test", "writeRF64": True, "writeLevlChunk": True},
                    {"name": "FileWriter", "filePath": "\\\\fileserver1\\test\\file1.wav"},
                ],
            }
        ],
    }


def test_what_was_read_can_be_read_again() -> None:
    document = one_filter(NAME="audio synthesizer", Format={"NumberOfChannels": "2"}, realtime="false")
    read = PipeSpec.model_validate(document).document()
    assert read == one_filter(name="Audio Synthesizer", format={"channels": 2}, realTime=False)
    assert PipeSpec.model_validate(read).document() == read


def test_explicit_null_is_kept() -> None:
    assert PipeSpec.model_validate({"mixer": None}).document() == {"mixer": None}


@pytest.mark.parametrize("name", NOT_YET)
def test_filter_that_is_not_there_yet_says_so(name: str) -> None:
    expected = [(("inputGraph", 0, "filter", 0), f"the filter {name} is not supported yet")]
    assert faults(one_filter(name=name.upper())) == expected


def test_unknown_filter_names_the_known_ones() -> None:
    (((*_, last), text),) = faults(one_filter(name="FileReder"))
    assert last == 0
    assert "did you mean 'FileReader'?" in text
    assert all(name in text for name in FILTERS)


@pytest.mark.parametrize("value", [5, {}, {"name": None}, {"name": 5}])
def test_filter_without_a_name_is_refused(value: Any) -> None:
    assert faults({"outputGraph": [{"filter": [value]}]})[0][0] == ("outputGraph", 0, "filter", 0)


def test_fault_inside_a_filter_has_a_clean_place() -> None:
    document = {"outputGraph": [{"filter": [{"name": "FLAC", "CompressionLevel": 99}]}]}
    assert faults(document)[0][0] == ("outputGraph", 0, "filter", 0, "compressionLevel")


@pytest.mark.parametrize("key", ["createMpeg", "overlapOnSwitch", "channelConfiguration"])
def test_member_of_wavdest_that_is_not_there_yet_says_so(key: str) -> None:
    found = faults({"outputGraph": [{"filter": [{"name": "WAVDest", key: {"x": 1}}]}]})
    assert found == [
        (("outputGraph", 0, "filter", 0, key), f"{key} of WAVDest is not supported yet; leave it out")
    ]


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        *(("00:00:01.500", 1_500), ("01:02:03", 3_723_000), ("1:30", 90_000)),
        *(("0:00.5", 500), ("100:00:00", 360_000_000)),
    ],
)
def test_spans(text: str, ms: int) -> None:
    assert span_ms(text) == ms


@pytest.mark.parametrize("text", ["5", "", "00:60", "1:2:3:4", "-0:01", "0:00.1234"])
def test_other_texts_are_no_spans(text: str) -> None:
    assert faults({"inputGraph": [{"startOffset": text}]})[0][0] == ("inputGraph", 0, "startOffset")


@pytest.mark.parametrize("value", [-0.1, "nan", "inf", 1e9, "loud"])
def test_levels_are_finite_factors(value: Any) -> None:
    assert faults({"mixer": {"outputLevel": [{"graph": "o", "level": value}]}})


def test_merge_keys_are_those_of_the_schema() -> None:
    assert MERGE_KEYS == {
        "pipeSpec.inputGraph": ("name",),
        "pipeSpec.outputGraph": ("name",),
        "pipeSpec.mixer.inputLevel": ("graph",),
        "pipeSpec.mixer.outputLevel": ("graph",),
        "pipeSpec.mixer.matrix": ("input", "inChannel", "output", "outChannel"),
    }
    definitions = PipeSpec.model_json_schema()["$defs"]
    assert definitions["Mixer"]["properties"]["inputLevel"]["x-merge-key"] == "graph"
