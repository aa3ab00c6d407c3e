"""One table: the machine, the enums and the diagram say the same, and final is final."""

from __future__ import annotations

import pytest

from jobengine.errors import TransitionNotAllowed
from jobengine.model.lifecycle import (
    ACTIVE_STATES,
    FINAL_STATES,
    MACHINE,
    TABLE,
    EngineRequest,
    JobState,
    RequestedState,
    allowed_requests,
    decide,
    mermaid,
)

REQUESTS = [*RequestedState, *EngineRequest]


def test_machine_decides_as_the_table_says() -> None:
    table = {(arrow.source, arrow.requested): arrow.target for arrow in TABLE}
    assert len(table) == len(TABLE)
    for state in JobState:
        for request in REQUESTS:
            if (state, request) in table:
                assert decide(state, request) is table[state, request]
            else:
                with pytest.raises(TransitionNotAllowed):
                    decide(state, request)


def test_final_states_are_final() -> None:
    assert FINAL_STATES.isdisjoint(ACTIVE_STATES)
    assert set(ACTIVE_STATES) | FINAL_STATES == set(JobState)
    for state in FINAL_STATES:
        assert (state.is_final, allowed_requests(state)) == (True, [])


def test_every_state_can_be_reached_and_left_unless_final() -> None:
    assert {arrow.target for arrow in TABLE} == set(JobState)
    assert {arrow.source for arrow in TABLE} == set(ACTIVE_STATES)


def test_machine_has_the_states_of_the_enum_and_no_way_around_the_table() -> None:
    assert set(MACHINE.states) == {state.name for state in JobState}
    assert set(MACHINE.events) == {f"request_{request}" for request in REQUESTS}


@pytest.mark.parametrize(
    "text", ["os.system", "to_Finished", "request_Start", "", "start", "__class__", "Start\n"]
)
def test_no_text_of_a_client_reaches_the_machine(text: str) -> None:
    with pytest.raises(TransitionNotAllowed):
        decide(JobState.PENDING, text)


def test_refusal_names_what_would_be_allowed() -> None:
    with pytest.raises(TransitionNotAllowed) as caught:
        decide(JobState.FINISHED, RequestedState.START)
    assert caught.value.facts == {"state": "Finished", "allowed": []}
    assert allowed_requests(JobState.RUNNING) == ["Start", "Pause", "Wait", "None", "Finish", "Cancel"]


def test_pause_is_real() -> None:
    paused = decide(JobState.RUNNING, RequestedState.PAUSE)
    assert (paused, decide(paused, RequestedState.START)) == (JobState.PAUSED, JobState.RUNNING)


def test_diagram_shows_every_change_of_state() -> None:
    diagram = mermaid()
    for arrow in TABLE:
        if arrow.source is not arrow.target:
            assert str(arrow.source) in diagram
            assert str(arrow.target) in diagram
            assert str(arrow.requested) in diagram
