"""A job at the service: its document as last read, and everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from jobengine.client.deadline import Deadline
from jobengine.client.event_feed import EventFeed
from jobengine.client.http import Http, path
from jobengine.ids import new_id
from jobengine.model.lifecycle import FINAL_STATES, JobState

Json = Any
FINAL = "final"
_STATE_MEMBERS = ("currentState", "isActive", "statusMessage", "friendlyStatusMessage", "revision")


class Job:
    """A handle; making one asks nothing. ``document`` and ``state`` are as of the last answer."""

    def __init__(self, http: Http, document: dict[str, Json], etag: str | None = None) -> None:
        self._http = http
        self.document = document
        self.etag = etag

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.document.get('currentState', 'not read')}>"

    @property
    def id(self) -> str:
        return str(self.document["jobId"])

    @property
    def state(self) -> JobState:
        """The state as last read; reads the job if it never was."""
        if "currentState" not in self.document:
            self.refresh()
        return JobState(self.document["currentState"])

    @property
    def message(self) -> str:
        """The status message for people; empty unless something is to be said."""
        return str(self.document.get("friendlyStatusMessage") or self.document.get("statusMessage") or "")

    def refresh(self) -> Job:
        """Read the job again."""
        response = self._http.request("GET", self._place())
        self._take(response.json(), response.headers.get("ETag"))
        return self

    def wait(
        self,
        until: str | Collection[str] = FINAL,
        timeout_s: float | None = None,
        on_change: Callable[[Job], None] | None = None,
    ) -> JobState:
        """Block until the job is in one of the states ``until`` ("final": any of the last ones).

        A final state always ends the wait, also another one than wished for; the state reached is the
        answer. ``on_change`` is called whenever the state was read again; ``document`` is read whole at
        the end. Raises TimeoutError.
        """
        wanted = _states(until) | FINAL_STATES
        for _ in self._moments_to_look(Deadline(timeout_s)):
            self._glance()
            if on_change is not None:
                on_change(self)
            reached = self.state
            if reached in wanted:
                self.refresh()
                return reached
        raise TimeoutError(f"the job is still {self.refresh().state} after {timeout_s:g} s")

    def append(self, transitions: Json, idempotency_key: str | None = None) -> Json:
        """Append one transition or a list of them; the answer is what was stored."""
        headers = {"Idempotency-Key": idempotency_key or new_id()}
        return self._http.request(
            "POST", self._place("transitions"), body=transitions, headers=headers
        ).json()

    def start(self, description: Json = None) -> Json:
        """Start, or go on after a pause, as soon as possible."""
        return self._request_state("Start", description)

    def pause(self, description: Json = None) -> Json:
        """Pause as soon as possible; the outputs hold no paused time."""
        return self._request_state("Pause", description)

    def finish(self, description: Json = None) -> Json:
        """Finish as soon as possible: outputs are completed."""
        return self._request_state("Finish", description)

    def cancel(self, description: Json = None) -> Json:
        """Cancel as soon as possible."""
        return self._request_state("Cancel", description)

    def update(self, **members: Json) -> Job:
        """Change ``name``, ``alias`` or ``clientData`` by merge patch.

        Raises RevisionMismatch if the job has changed since it was last read.
        """
        headers = {"If-Match": self._revision(), "Content-Type": "application/merge-patch+json"}
        response = self._http.request("PATCH", self._place(), body=members, headers=headers)
        self._take(response.json(), response.headers.get("ETag"))
        return self

    def delete(self, force: bool = False) -> None:
        """Hide the job; an active one only with ``force``, which cancels it. Its history is kept."""
        self._http.request("DELETE", self._place(), params={"force": "true"} if force else None)

    def transitions(self) -> list[dict[str, Json]]:
        """Planned and passed transitions in order."""
        return self._list("transitions")

    def transition(self, transition_id: str) -> dict[str, Json]:
        """One transition."""
        found: dict[str, Json] = self._http.get(self._place("transitions", transition_id))
        return found

    def change_transition(self, transition_id: str, patch: Json) -> Json:
        """Change a pending transition; refused if the job changed since it was last read."""
        headers = {"If-Match": self._revision(), "Content-Type": "application/merge-patch+json"}
        place = self._place("transitions", transition_id)
        return self._http.request("PATCH", place, body=patch, headers=headers).json()

    def remove_transition(self, transition_id: str) -> None:
        """Take a pending transition off the list; it stays visible as Superseded."""
        headers = {"If-Match": self._revision()}
        self._http.request("DELETE", self._place("transitions", transition_id), headers=headers)

    def history(self) -> list[dict[str, Json]]:
        """Passed transitions in order, with their hashes."""
        return self._list("history")

    def description(self, at: str | None = None) -> Json:
        """The effective description, now or at a transition."""
        return self._http.get(self._place("description"), {"at": at})

    def outputs(self) -> list[dict[str, Json]]:
        """Files and targets really written, in order."""
        return self._list("outputs")

    def progress(self) -> dict[str, Json]:
        """Live counters; empty while no worker has the job."""
        found: dict[str, Json] = self._http.get(self._place("progress"))
        return found

    def timeline(self) -> Json:
        """Bands of states and the transitions around now, for display."""
        return self._http.get(self._place("timeline"))

    def log(self) -> str:
        """What the job's workers logged, from the beginning."""
        pieces: list[bytes] = []
        start = 0
        while True:
            response = self._http.request("GET", self._place("log"), params={"from": start})
            if not response.content:
                return b"".join(pieces).decode("utf-8", "replace")
            pieces.append(response.content)
            start += len(response.content)

    def _request_state(self, state: str, description: Json) -> Json:
        transition = {"trigger": {"type": "Immediate", "requestedProcState": state}}
        return self.append(transition | ({"jobDescription": description} if description else {}))

    def _list(self, part: str) -> list[dict[str, Json]]:
        found: list[dict[str, Json]] = self._http.get(self._place(part))
        return found

    def _moments_to_look(self, deadline: Deadline) -> Iterator[None]:
        """Now, whenever something may have changed until the deadline, and then.

        The feed is opened after the first look: who finds what he waits for needs no seat in it.
        """
        yield
        for event in EventFeed(self._http, f'jobId == "{self.id}"', deadline=deadline).follow():
            if event is None or event.job_id in (self.id, None):
                yield
        yield  # who stood still until after the deadline sees what has happened all the same

    def _glance(self) -> None:
        """Read what changes with the state only: the list of a long job is large."""
        response = self._http.request("GET", self._place(), params={"fields": ",".join(_STATE_MEMBERS)})
        self._take(self.document | response.json(), response.headers.get("ETag"))

    def _take(self, document: dict[str, Json], etag: str | None) -> None:
        self.document, self.etag = document, etag

    def _revision(self) -> str:
        return self.etag or self.refresh().etag or "*"

    def _place(self, *parts: str) -> str:
        return path("api", "jobs", self.id, *parts)


def _states(until: str | Collection[str]) -> frozenset[JobState]:
    names: Iterable[str] = [until] if isinstance(until, str) else until
    return frozenset().union(*(FINAL_STATES if name == FINAL else {JobState(name)} for name in names))
