"""The lifecycle of a job: one table, from which everything else that knows states is made.

The ``transitions`` machine below, the CHECK constraints of the database, the enums of the JSON
Schemas and the diagram in the documentation all come from ``TABLE``. The machine is built once, from
this table only - no text of a client ever reaches the ``transitions`` library, which resolves unknown
callback strings as imports - and holds no job: `decide` binds it to a state for one decision.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache, cached_property
from threading import Lock
from typing import NamedTuple

from transitions import Machine, MachineError

from jobengine.errors import TransitionNotAllowed


class JobState(StrEnum):
    """Where a job is. The last four are final: nothing leads out of them."""

    PENDING = "Pending"
    WAITING = "Waiting"
    RUNNING = "Running"
    PAUSED = "Paused"
    UPDATING = "Updating"
    FINISHED = "Finished"
    CANCELLED = "Cancelled"
    ERROR = "Error"
    TERMINATED = "Terminated"

    @cached_property
    def is_final(self) -> bool:
        return self in FINAL_STATES


FINAL_STATES = frozenset({JobState.FINISHED, JobState.CANCELLED, JobState.ERROR, JobState.TERMINATED})
ACTIVE_STATES = tuple(state for state in JobState if state not in FINAL_STATES)


class RequestedState(StrEnum):
    """What a trigger asks for."""

    NONE = "None"
    WAIT = "Wait"
    PAUSE = "Pause"
    START = "Start"
    FINISH = "Finish"
    CANCEL = "Cancel"


class EngineRequest(StrEnum):
    """What only the engine may ask for; the trigger is Implicit and the reason is in the info."""

    UPDATE = "Update"
    FAIL = "Fail"
    TERMINATE = "Terminate"


class TransitionStatus(StrEnum):
    """What became of one row of a job's list."""

    PENDING = "Pending"
    PASSED = "Passed"
    SKIPPED = "Skipped"
    SUPERSEDED = "Superseded"


class TriggerType(StrEnum):
    """When a transition passes. The last two are written by the engine only."""

    IMMEDIATE = "Immediate"
    TIME = "Time"
    DURATION = "Duration"
    LEVEL = "Level"
    EVENT = "Event"
    STREAM = "Stream"
    IMPLICIT = "Implicit"
    OUTPUT_SWITCH = "OutputSwitch"


TRIGGER_TYPES = {str(kind): kind for kind in TriggerType}
"""By the name in a trigger: a look-up costs a tenth of what calling the enumeration does."""

ENGINE_TRIGGERS = frozenset({TriggerType.IMPLICIT, TriggerType.OUTPUT_SWITCH})


class Arrow(NamedTuple):
    """One line of the lifecycle: asked for ``requested`` in ``source``, a job reaches ``target``.

    ``guard`` names the condition in words, for people; the empty string means none.
    """

    source: JobState
    requested: str
    target: JobState
    guard: str = ""


def _arrows() -> tuple[Arrow, ...]:
    s, r = JobState, RequestedState
    described = "a work kind needs its full description"
    arrows = [
        Arrow(s.PENDING, r.WAIT, s.WAITING, described),
        Arrow(s.PENDING, r.PAUSE, s.WAITING, described),
        Arrow(s.PENDING, r.START, s.RUNNING, described),
        Arrow(s.WAITING, r.WAIT, s.WAITING),
        Arrow(s.WAITING, r.PAUSE, s.WAITING),
        Arrow(s.WAITING, r.START, s.RUNNING),
        Arrow(s.RUNNING, r.START, s.RUNNING),
        Arrow(s.RUNNING, r.PAUSE, s.PAUSED),
        Arrow(s.RUNNING, r.WAIT, s.WAITING),
        Arrow(s.PAUSED, r.START, s.RUNNING),
        Arrow(s.PAUSED, r.PAUSE, s.PAUSED),
        Arrow(s.PAUSED, r.WAIT, s.WAITING),
        Arrow(s.UPDATING, r.START, s.RUNNING),
        Arrow(s.UPDATING, r.PAUSE, s.PAUSED),
        Arrow(s.UPDATING, r.WAIT, s.WAITING),
    ]
    for state in ACTIVE_STATES:
        arrows.append(Arrow(state, r.NONE, state))
        arrows.append(Arrow(state, r.FINISH, s.FINISHED))
        arrows.append(Arrow(state, r.CANCEL, s.CANCELLED))
        arrows.append(Arrow(state, EngineRequest.FAIL, s.ERROR))
        arrows.append(Arrow(state, EngineRequest.TERMINATE, s.TERMINATED))
        if state is not s.PENDING:
            arrows.append(Arrow(state, EngineRequest.UPDATE, s.UPDATING, "its worker is being replaced"))
    return tuple(arrows)


TABLE: tuple[Arrow, ...] = _arrows()


class _Flyweight:
    """The one model that the machine knows; a job's state is lent to it for one decision."""

    state: JobState


def _build_machine() -> tuple[Machine, _Flyweight]:
    model = _Flyweight()
    machine = Machine(
        model=model,
        states=JobState,
        initial=JobState.PENDING,
        auto_transitions=False,
        send_event=False,
    )
    for arrow in TABLE:
        machine.add_transition(f"request_{arrow.requested}", arrow.source, arrow.target)
    return machine, model


MACHINE, _MODEL = _build_machine()
_LOCK = Lock()
_TRIGGERS = {
    str(request): getattr(_MODEL, f"request_{request}") for request in (*RequestedState, *EngineRequest)
}


def decide(state: JobState, requested: str) -> JobState:
    """The state that a job in ``state`` reaches when ``requested`` is granted.

    Raises `TransitionNotAllowed` with the requests that would be allowed. The machine is asked once for
    each pair; its table does not change.
    """
    target = reached(state, requested)
    if target is None:
        raise TransitionNotAllowed(
            f"a job that is {state} can't be asked to {requested}",
            state=str(state),
            allowed=allowed_requests(state),
        )
    return target


@cache
def reached(state: JobState, requested: str) -> JobState | None:
    """As `decide`; None if it is not granted. Binds the machine to ``state`` for that moment."""
    with _LOCK:
        _MODEL.state = state
        try:
            _TRIGGERS[requested]()
        except (MachineError, KeyError):
            return None
        return _MODEL.state


def allowed_requests(state: JobState) -> list[str]:
    """What a client may request of a job in ``state``, in the order of the table."""
    client = set(RequestedState)
    return [arrow.requested for arrow in TABLE if arrow.source is state and arrow.requested in client]


def mermaid() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> Pending"]
    for arrow in TABLE:
        if arrow.source is not arrow.target:
            lines.append(f"    {arrow.source} --> {arrow.target}: {arrow.requested}")
    lines += [f"    {state} --> [*]" for state in JobState if state.is_final]
    return "\n".join(lines) + "\n"
