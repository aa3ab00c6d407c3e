"""Documents are read in any case and go out in camelCase; every fault has its place and a sentence."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from jobengine.errors import DocumentError, Fault
from jobengine.model.check import Prior, Surroundings, check_transitions
from jobengine.model.document import (
    EventDocument,
    JobDocument,
    JobUpdate,
    TransitionDocument,
    TransitionPatch,
    read,
    read_transitions,
)
from jobengine.model.roots import MediaRoots

ROAD = Path(__file__).parents[2] / "data" / "road"
AROUND = Surroundings(
    MediaRoots(PurePosixPath("/data/media")), "studio-1", {"Title": "Noon", "Path": "x.wav"}
)
IN = {"name": "In", "filter": [{"name": "FileReader", "filePath": "a.wav"}]}
OUT = {"name": "Out", "filter": [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": "b.wav"}]}


def immediate(state: str = "Start", description: Any = None, **members: Any) -> dict[str, Any]:
    transition: dict[str, Any] = {"trigger": {"type": "Immediate", "requestedProcState": state, **members}}
    return transition | ({"jobDescription": description} if description is not None else {})


def pipe(**members: Any) -> dict[str, Any]:
    return {"pipeSpec": {"inputGraph": [IN], "outputGraph": [OUT], **members}}


def faults(*transitions: dict[str, Any], prior: Prior | None = None) -> list[Fault]:
    """Every fault of a list, of its shape or of its sense."""
    try:
        documents = read(JobDocument, {"transitions": list(transitions)}).transitions
    except DocumentError as error:
        return list(error.faults)
    return check_transitions(documents, prior or Prior(), AROUND)


def only(found: list[Fault]) -> tuple[str, str]:
    [fault] = found
    return fault.pointer, fault.detail


class TestRoadsExamples:
    @pytest.mark.parametrize("name", ["start-recording", "stop-recording"])
    def test_are_accepted_as_they_stand(self, name: str) -> None:
        document = json.loads((ROAD / f"{name}.json").read_text())
        assert read(JobDocument, document).transitions

    def test_start_recording_says_what_it_means(self) -> None:
        document = json.loads((ROAD / "start-recording.json").read_text())
        [transition] = read(JobDocument, document).transitions
        assert transition.job_description is not None
        spec = transition.job_description.document()["pipeSpec"]
        source = spec["inputGraph"][0]["filter"][0]
        assert source["format"] == {"sampleRate": 44100, "resolution": 16}
        assert spec["outputGraph"][0]["filter"][1]["filePath"] == "\\\\fileserver1\\test\\file1.wav"

    def test_stop_recording_can_be_appended(self) -> None:
        document = json.loads((ROAD / "stop-recording.json").read_text())
        [transition] = read_transitions(document)
        assert transition.trigger.requested_proc_state == "Finish"
        assert check_transitions([transition], Prior({}, "pipe", is_prepared=True), AROUND) == []


class TestCasing:
    def test_any_case_comes_in_and_camel_case_goes_out(self) -> None:
        spelled = {
            "TRANSITIONS": [
                {
                    "Trigger": {"TYPE": "immediate", "RequestedProcState": "START"},
                    "JobDescription": {
                        "PipeSpec": {"InputGraph": [{"Name": "In", "STARTOFFSET": "00:00:01"}]}
                    },
                }
            ],
            "ClientData": {"Kept": "AsItIs"},
            "RestartPolicy": "resume",
        }
        assert read(JobDocument, spelled).document() == {
            "transitions": [
                {
                    "trigger": {"type": "Immediate", "requestedProcState": "Start"},
                    "jobDescription": {
                        "pipeSpec": {"inputGraph": [{"name": "In", "startOffset": "00:00:01"}]}
                    },
                }
            ],
            "clientData": {"Kept": "AsItIs"},
            "restartPolicy": "resume",
        }

    def test_comment_and_clsid_are_tolerated_and_dropped(self) -> None:
        document = {**immediate(), "Comment": "x", "CLSID": "{1}"}
        assert "Comment" not in read(TransitionDocument, document).document()

    def test_numbers_and_booleans_may_be_strings(self) -> None:
        trigger = {"type": "Duration", "duration": "1500", "requestedProcState": "None"}
        spec = {
            "pipeSpec": {"outputGraph": [{"name": "O", "filter": [{"name": "WAVDest", "writeRf64": "true"}]}]}
        }
        [transition] = read_transitions({"trigger": trigger, "jobDescription": spec, "volatile": "false"})
        out = transition.document()
        assert out["trigger"]["duration"] == 1500
        assert out["jobDescription"]["pipeSpec"]["outputGraph"][0]["filter"][0]["writeRF64"] is True
        assert out["volatile"] is False

    def test_one_key_in_two_cases_is_a_fault(self) -> None:
        found = only(faults({**immediate(), "TRIGGER": {}}))
        assert found == ("/transitions/0/TRIGGER", "is given twice in different cases")

    def test_unknown_key_names_the_nearest_known_one(self) -> None:
        found = only(faults(immediate(requestedProcStat="x")))
        assert found[0] == "/transitions/0/trigger/requestedProcStat"
        assert "did you mean 'requestedProcState'?" in found[1]

    def test_null_that_was_given_stays_and_what_was_not_given_is_absent(self) -> None:
        [transition] = read_transitions(immediate(description={"pipeSpec": {"mixer": None}}))
        assert transition.document()["jobDescription"] == {"pipeSpec": {"mixer": None}}

    def test_job_id_of_old_documents_is_ignored(self) -> None:
        assert read(JobDocument, {"jobId": "12345", "transitions": [immediate()]}).job_id == "12345"


class TestFaultsOfShape:
    @pytest.mark.parametrize(
        ("trigger", "pointer", "words"),
        [
            ({"type": "Someday"}, "type", "must be one of Immediate, Time, Duration, Level, Event, Stream"),
            ({"type": "Implicit"}, "type", "written by the engine only"),
            ({"type": "outputswitch"}, "type", "must be one of"),
            ({"type": "OutputSwitch"}, "type", "written by the engine only"),
            ({"type": 7}, "type", "must be one of"),
            ({"type": ["Time"]}, "type", "must be one of"),
            ({"type": {"Time": 1}}, "type", "must be one of"),
            ({"type": "Time"}, "startTime", "required"),
            ({"type": "Time", "startTime": "soon"}, "startTime", "must be a time such as"),
            ({"type": "Time", "startTime": 12}, "startTime", "must be text such as"),
            ({"type": "Time", "startTime": "0001-01-01T00:00:00+10:00"}, "startTime", "outside the years"),
            ({"type": "Duration"}, "duration", "required"),
            ({"type": "Duration", "duration": -1}, "duration", "greater than or equal to 0"),
            ({"type": "Duration", "duration": 1.5}, "duration", "integer"),
            ({"type": "Event"}, "name", "required"),
            ({"type": "Event", "name": ""}, "name", "at least 1 character"),
            ({"type": "Stream"}, "condition", "required"),
            (
                {"type": "Immediate", "requestedProcState": "Run"},
                "requestedProcState",
                "must be one of None, Wait",
            ),
            ({"type": "Immediate", "requestedProcState": None}, "requestedProcState", "must be one of"),
        ],
    )
    def test_trigger(self, trigger: dict[str, Any], pointer: str, words: str) -> None:
        found = only(faults({"trigger": {"requestedProcState": "Start", **trigger}}))
        assert found[0] == f"/transitions/0/trigger/{pointer}"
        assert words in found[1]

    @pytest.mark.parametrize("value", [None, 3, "x", [], [1], {"transitions": []}, {"transitions": {}}, {}])
    def test_what_is_no_job_is_refused(self, value: Any) -> None:
        with pytest.raises(DocumentError):
            read(JobDocument, value)

    @pytest.mark.parametrize(
        ("value", "fault"),
        [
            ([], ("", "should be an object")),
            ({"transitions": 7}, ("/transitions", "should be an array")),
            ({"transitions": []}, ("/transitions", "list should have at least 1 item, not 0")),
        ],
    )
    def test_it_is_told_without_words_of_python(self, value: Any, fault: tuple[str, str]) -> None:
        with pytest.raises(DocumentError) as refused:
            read(JobDocument, value)
        assert only(list(refused.value.faults)) == fault

    def test_every_fault_is_named_at_once(self) -> None:
        found = faults({"trigger": {"type": "Time"}}, {"trigger": {"type": "X"}}, {"strange": 1})
        assert {fault.pointer for fault in found} == {
            "/transitions/0/trigger/startTime",
            "/transitions/0/trigger/requestedProcState",
            "/transitions/1/trigger/type",
            "/transitions/2/trigger",
            "/transitions/2/strange",
        }

    def test_pointers_are_in_the_clients_spelling_and_escaped(self) -> None:
        with pytest.raises(DocumentError) as caught:
            read(JobDocument, {"Transitions": [{"Trigger": {"Type": "Time", "StartTime": "x", "a/b~": 1}}]})
        assert {fault.pointer for fault in caught.value.faults} >= {
            "/Transitions/0/Trigger/StartTime",
            "/Transitions/0/Trigger/a~1b~0",
        }

    def test_lists_of_transitions_are_read_in_three_shapes(self) -> None:
        one = immediate()
        for shape in (one, [one], {"transitions": [one]}, {"Transitions": [one]}):
            assert len(read_transitions(shape)) == 1
        empties: list[Any] = [[], {"transitions": []}]
        for empty in empties:
            with pytest.raises(DocumentError):
                read_transitions(empty)
        with pytest.raises(DocumentError) as caught:
            read_transitions({"transitions": [one, {}]})
        assert caught.value.faults[0].pointer == "/transitions/1/trigger"

    def test_updates_events_and_patches_check_their_members(self) -> None:
        assert read(JobUpdate, {}).transitions == []
        assert read(TransitionPatch, {"info": {"a": 1}}).document() == {"info": {"a": 1}}
        with pytest.raises(DocumentError):
            read(EventDocument, {"name": ""})

    def test_numbers_that_json_does_not_know_are_refused(self) -> None:
        level = {"pipeSpec": {"mixer": {"outputLevel": [{"graph": "Out", "level": float("nan")}]}}}
        assert faults(immediate(description=level))


class TestFaultsOfSense:
    def test_level_is_refused_with_a_sentence(self) -> None:
        found = only(faults(immediate(description=pipe()), {"trigger": LEVEL}))
        assert found == (
            "/transitions/1/trigger/type",
            "Level triggers come with the complete pipe; this version can't watch levels yet",
        )

    def test_output_switch_is_refused_with_a_sentence(self) -> None:
        option = immediate("Wait", pipe(), options={"outputSwitch": True})
        assert only(faults(option))[0] == "/transitions/0/trigger/options/outputSwitch"
        described = immediate(description={**pipe(), "outputSwitch": {"interval": "01:00:00"}})
        assert only(faults(described))[0] == "/transitions/0/jobDescription/outputSwitch"

    def test_second_kind_of_work_is_refused(self) -> None:
        found = only(faults(immediate("Start"), immediate("None", pipe())))
        assert found[0] == "/transitions/1/jobDescription/pipeSpec"
        assert "exactly one kind of work" in found[1]
        other = only(faults(immediate("None", {"pipeSpec": {"mixer": {}}}), prior=Prior({}, "convert")))
        assert "its work is convert" in other[1]

    @pytest.mark.parametrize(
        ("mixer", "pointer"),
        [
            ({"outputLevel": [{"graph": "Nowhere", "level": 1}]}, "outputLevel/0/graph"),
            ({"inputLevel": [{"graph": "Out", "level": 1}]}, "inputLevel/0/graph"),
            (
                {"matrix": [{"input": "Out", "inChannel": 0, "output": "Out", "outChannel": 0}]},
                "matrix/0/input",
            ),
            (
                {"matrix": [{"input": "In", "inChannel": 0, "output": "In", "outChannel": 0}]},
                "matrix/0/output",
            ),
        ],
    )
    def test_unknown_and_circular_references_are_refused(self, mixer: dict[str, Any], pointer: str) -> None:
        found = only(faults(immediate(description=pipe(mixer=mixer))))
        assert found[0] == f"/transitions/0/jobDescription/pipeSpec/mixer/{pointer}"

    @pytest.mark.parametrize(
        "path", ["/etc/passwd", "../x.wav", "a/../../x.wav", "file:///etc/passwd", "", "a\x00b"]
    )
    def test_paths_outside_the_roots_are_refused(self, path: str) -> None:
        graph = {"name": "In", "filter": [{"name": "FileReader", "filePath": path}]}
        found = only(faults(immediate(description=pipe(inputGraph=[graph]))))
        assert found[0] == "/transitions/0/jobDescription/pipeSpec/inputGraph/0/filter/0/filePath"

    def test_fault_points_to_the_transition_that_brought_it(self) -> None:
        late = {"mixer": {"outputLevel": [{"graph": "Nowhere", "level": 1}]}}
        found = only(
            faults(immediate("Wait", pipe()), immediate("None"), immediate("None", {"pipeSpec": late}))
        )
        assert found[0].startswith("/transitions/2/jobDescription/pipeSpec/mixer")

    def test_description_may_be_spread_over_transitions(self) -> None:
        parts = [{"pipeSpec": {"inputGraph": [IN]}}, {"pipeSpec": {"outputGraph": [OUT]}}]
        assert faults(*[immediate("None", part) for part in parts], immediate("Start")) == []

    def test_start_without_an_input_is_refused(self) -> None:
        found = only(faults(immediate("Start", {"pipeSpec": {"outputGraph": [OUT]}})))
        assert found[0] == "/transitions/0/jobDescription/pipeSpec/inputGraph"

    def test_graphs_are_fixed_once_prepared_and_the_mixer_is_not(self) -> None:
        prepared = Prior(pipe(), "pipe", is_prepared=True)
        level = {"pipeSpec": {"mixer": {"outputLevel": [{"graph": "Out", "level": 0.5}]}}}
        assert faults(immediate("None", level), prior=prepared) == []
        found = only(faults(immediate("None", {"pipeSpec": {"inputGraph": [IN]}}), prior=prepared))
        assert found[0] == "/transitions/0/jobDescription/pipeSpec/inputGraph"
        assert "only mixer may change" in found[1]

    def test_name_given_twice_in_a_keyed_list_is_refused(self) -> None:
        found = faults(immediate(description=pipe(inputGraph=[IN, IN])))
        assert found[0] == Fault(
            "/transitions/0/jobDescription/pipeSpec/inputGraph/1", "In is named twice in this list"
        )

    def test_placeholder_faults_have_their_place(self) -> None:
        graph = {"name": "Out", "filter": [{"name": "WAVDest", "title": "${Var:Unknown}"}, OUT["filter"][1]]}
        found = only(faults(immediate(description=pipe(outputGraph=[graph]))))
        assert found[0] == "/transitions/0/jobDescription/pipeSpec/outputGraph/0/filter/0/title"

    def test_paths_are_checked_after_variables_are_filled_in(self) -> None:
        graph = {"name": "In", "filter": [{"name": "FileReader", "filePath": "${Var:Path}"}]}
        assert faults(immediate(description=pipe(inputGraph=[graph]))) == []
        up = Surroundings(AROUND.roots, "h", {"Path": "../x"})
        documents = read(
            JobDocument, {"transitions": [immediate(description=pipe(inputGraph=[graph]))]}
        ).transitions
        assert len(check_transitions(documents, Prior(), up)) == 1

    @pytest.mark.parametrize("value", [5, True, {"a": 1}, ["a"], "x" * 201])
    def test_a_variable_that_does_not_fit_where_it_stands_is_a_fault_there(self, value: Any) -> None:
        description = pipe(outputGraph=[{**OUT, "name": "${Var:Name}"}])
        documents = read(JobDocument, {"transitions": [immediate("None", description)]}).transitions
        [fault] = check_transitions(documents, Prior(), Surroundings(AROUND.roots, "h", {"Name": value}))
        assert fault.pointer == "/transitions/0/jobDescription/pipeSpec/outputGraph/0/name"
        assert fault.detail.endswith("with its variables filled in")

    def test_ten_thousand_transitions_are_checked(self) -> None:
        assert faults(immediate("Start", pipe()), *[immediate("None")] * 9_999) == []

    def test_last_frame_needs_elements_with_ids(self) -> None:
        uuid = "0190f3a4-7b5c-7d3e-8f00-000000000000"
        condition = {"any": [{"lastFrame": {"uuid": uuid}}, "never"]}
        trigger = {"type": "Stream", "requestedProcState": "Finish", "condition": condition}
        assert (
            only(faults(immediate(description=pipe()), {"trigger": trigger}))[0]
            == "/transitions/1/trigger/condition"
        )


LEVEL = {"type": "Level", "graph": "Out", "below": -50, "forMs": 1000, "requestedProcState": "Finish"}
