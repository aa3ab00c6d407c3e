"""Named events: which pending transitions wait for one, and firing them in the group that raised it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from jobengine.engine.blame import Blamed, own
from jobengine.engine.commands import Commands
from jobengine.engine.decisions import Decisions
from jobengine.engine.jobs import Jobs
from jobengine.engine.live_job import LiveJob
from jobengine.engine.workers import Workers
from jobengine.model.record import TransitionRecord

CASCADE_LIMIT = 1000
"""Rounds of events that raise events within one group; what is left then waits for the next group."""


class EventIndex(Protocol):
    """Where pending Event triggers can be found by name."""

    def pending_event_names(self) -> set[str]: ...
    def pending_for_events(self, names: Iterable[str]) -> list[tuple[str, str, str]]: ...


class EventFirer:
    """Keeps the names that anybody waits for, so that an event nobody waits for costs a set look-up."""

    def __init__(self, index: EventIndex, workers: Workers, commands: Commands) -> None:
        self._index = index
        self._workers = workers
        self._commands = commands
        self._names: set[str] | None = None

    def note(self, transition: TransitionRecord) -> None:
        """A transition that was appended may wait for an event."""
        if transition.event_name is not None and self._names is not None:
            self._names.add(transition.event_name)

    def forget(self) -> None:
        """Read the names anew before the next use."""
        self._names = None

    def fire(self, decisions: Decisions, jobs: Jobs, catch_up: Callable[[], None]) -> set[str]:
        """Fire everything that waits for the events raised so far; the ids of the jobs concerned.

        ``catch_up`` sees to it that the database has what groups before this one have decided. Raises Blamed.
        """
        if self._names is None:
            catch_up()
            self._names = self._index.pending_event_names() | _names_in(decisions)
        raised = [(name, data) for name, data in decisions.raised if name in self._names]
        decisions.raised.clear()
        if not raised:
            return set()
        catch_up()
        waiting = self._waiting({name for name, _ in raised}, decisions)
        jobs.load(job_id for _, job_id, _ in waiting)
        fired: set[str] = set()
        for event_name, data in raised:
            for name, job_id, transition_id in waiting:
                job = jobs.get(job_id)
                if name != event_name or job is None:
                    continue
                try:
                    if self._fire_one(job, transition_id, name, data, decisions):
                        fired.add(job_id)
                except Exception as error:
                    raise Blamed({job_id: own(error)}) from error
        return fired

    def _waiting(self, names: set[str], decisions: Decisions) -> list[tuple[str, str, str]]:
        """Those in the database, and those that this very group has appended."""
        stored = self._index.pending_for_events(names)
        fresh = [
            (t.event_name or "", t.job_id, t.transition_id)
            for job in decisions.touched.values()
            for t in job.pending.values()
            if t.event_name in names
        ]
        return list(dict.fromkeys([*stored, *fresh]))

    def _fire_one(
        self, job: LiveJob, transition_id: str, name: str, data: Mapping[str, Any], decisions: Decisions
    ) -> bool:
        transition = job.pending.get(transition_id)
        if transition is None or transition.due_time is not None or job.state.is_final:
            return False
        if transition.event_name != name or not holds_all(data, transition.trigger.get("match") or {}):
            return False
        transition.due_time = decisions.now_text
        transition.info = {**(transition.info or {}), "event": {"name": name, "data": dict(data)}}
        worker = self._workers.of(job.record.job_id)
        if worker is None:
            transition.wake_time = decisions.now_text
            job.plan(decisions.now).fire(transition_id, decisions.now)
        decisions.change_transition(job, transition)
        decisions.touch(job)
        self._commands.fire(job, transition_id, decisions.now_text, decisions)
        return True


def _names_in(decisions: Decisions) -> set[str]:
    """What transitions of this very group wait for: the database does not have them yet."""
    pending = (t for job in decisions.touched.values() for t in job.pending.values())
    return {t.event_name for t in pending if t.event_name is not None}


def holds_all(data: Any, match: Any) -> bool:
    """Whether ``data`` has every member of ``match``, at every depth."""
    if isinstance(match, Mapping):
        return isinstance(data, Mapping) and all(
            key in data and holds_all(data[key], match[key]) for key in match
        )
    return bool(data == match)
