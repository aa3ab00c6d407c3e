"""What comes of a transition that is settled, in two halves: what is known before, and what only its moment
tells.

Of what falls due soon the first half is worked out ahead; else one follows on the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jobengine.history.rows import EventDraft
from jobengine.model.chain import OPEN, PassingDraft, canonical
from jobengine.model.event_name import job_event
from jobengine.model.lifecycle import JobState, TransitionStatus
from jobengine.model.record import JobRecord, TransitionRecord

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Outcome:
    """One transition, settled but for its moment; it holds as long as the job of ``record`` is as it is now.

    ``raised`` is the event that follows from it, if the job's state changes: its name and data.
    """

    __slots__ = ("_draft", "_event", "raised", "state", "transition")

    def __init__(
        self,
        record: JobRecord,
        transition: TransitionRecord,
        state: JobState,
        skip: str = "",
        info: Mapping[str, Any] = NOTHING,
    ) -> None:
        """``transition`` takes the job to ``state``, or has no effect for the reason ``skip``.

        It is changed: who works ahead gives a copy.
        """
        t = transition
        t.status = TransitionStatus.SKIPPED if skip else TransitionStatus.PASSED
        t.sequence = record.history_length + 1
        t.current_proc_state = state
        t.wake_time = None
        if skip or info:
            t.info = {**(t.info or {}), **({"skipped": skip} if skip else {}), **info}
        t.previous_hash = record.history_hash
        self.transition = t
        self.state = state
        self._draft = PassingDraft(t, record.history_hash)
        changed = record.current_state is not state
        self._event = EventDraft(
            "job.state" if changed else "transition.passed",
            record.job_id,
            {
                "transitionId": t.transition_id,
                "trigger": t.trigger_type,
                "requestedProcState": t.requested_proc_state,
                "currentState": state,
                "sequence": t.sequence,
                "latenessMs": OPEN,
            },
        )
        self.raised = (
            (job_event(record.job_id, state), {"jobId": record.job_id, "state": str(state)})
            if changed
            else None
        )

    def complete(self, time_stamp: str, lateness_ms: float, position: dict[str, Any]) -> bytes:
        """It is settled now; canonical JSON of ``position``, as its row has it."""
        t = self.transition
        t.time_stamp = time_stamp
        t.lateness_ms = round(lateness_ms, 3)
        t.stream_position = position
        packed = canonical(position)
        t.hash = self._draft.hash(t.lateness_ms, packed, time_stamp)
        return packed

    def event_row(self, now_text: str) -> tuple[Any, ...]:
        """The line of the feed that tells of it, as a row of ``events``."""
        return self._event.row(now_text, self.transition.lateness_ms)
