"""Records as the JSON that clients see: camelCase, ROAD's members, nothing internal.

A pending transition says ``currentProcState: "Pending"`` (ROAD says ``Invalid`` there). Secrets - values
under keys that name one - are struck out for viewers; operators see what they posted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobengine.errors import ForbiddenError
from jobengine.logs import names_secret, strike_out
from jobengine.model.lifecycle import JobState, TransitionStatus
from jobengine.model.query import Field
from jobengine.model.record import EventRecord, JobRecord, OutputRecord, TransitionRecord
from jobengine.rest.auth import Actor, Role

Json = Any


def transition_view(transition: TransitionRecord) -> dict[str, Json]:
    """One transition; the description as posted, and as resolved where that differs."""
    t = transition
    is_pending = t.status is TransitionStatus.PENDING
    view: dict[str, Json] = {
        "transitionId": t.transition_id,
        "status": str(t.status),
        "position": t.position,
        "sequence": t.sequence,
        "timeStamp": t.time_stamp,
        "dueTime": t.due_time,
        "latenessMs": t.lateness_ms,
        "streamPosition": t.stream_position,
        "currentProcState": str(JobState.PENDING) if is_pending else t.current_proc_state,
        "trigger": t.trigger,
        "jobDescription": t.job_description,
        "info": t.info,
        "actor": t.actor,
        "createdTime": t.created_time,
        "hash": t.hash or None,
        "previousHash": None if is_pending else t.previous_hash,
        "supersededBy": t.superseded_by,
    }
    if t.resolved is not None:
        view["resolvedDescription"] = t.resolved["description"]
        view["values"] = t.resolved["values"]
    return view


def job_view(
    job: JobRecord, transitions: Iterable[TransitionRecord] | None, log_info_count: int
) -> dict[str, Json]:
    """A job, with its transitions unless they are None. Superseded ones are off the list."""
    view: dict[str, Json] = {
        "jobId": job.job_id,
        "name": job.name,
        "alias": job.alias,
        "kind": job.kind,
        "processingHost": job.processing_host,
        "createdTime": job.created_time,
        "updatedTime": job.updated_time,
        "currentState": str(job.current_state),
        "isActive": job.is_active,
        "clientData": job.client_data,
        "workerProcessId": job.worker_process_id,
        "statusMessage": job.status_message,
        "friendlyStatusMessage": job.friendly_status_message,
        "restartPolicy": job.restart_policy,
        "revision": job.revision,
        "logInfoCount": log_info_count,
    }
    if transitions is not None:
        listed = (t for t in transitions if t.status is not TransitionStatus.SUPERSEDED)
        view["transitions"] = [transition_view(t) for t in listed]
    return view


def output_view(output: OutputRecord) -> dict[str, Json]:
    """A file or target really written; members without meaning for its kind are left out."""
    view = {
        "number": output.number,
        "graph": output.graph,
        "kind": output.kind,
        "path": output.path,
        "url": output.url,
        "startTime": output.start_time,
        "startPosition": output.start_position,
        "samples": output.samples,
        "elements": output.elements,
        "closed": output.closed,
    }
    return {name: member for name, member in view.items() if member is not None}


def event_view(event: EventRecord) -> dict[str, Json]:
    """One line of the event feed."""
    return {
        "sequence": event.sequence,
        "time": event.time,
        "type": event.type,
        "jobId": event.job_id,
        "data": event.data,
    }


def disclosed(view: Json, actor: Actor) -> Json:
    """``view`` as ``actor`` may see it."""
    return view if actor.role >= Role.OPERATOR else strike_out(view)


def check_fields(fields: Iterable[Field], actor: Actor) -> None:
    """Raise ForbiddenError if ``actor`` may not see one of ``fields``: the answer would tell its value."""
    if actor.role >= Role.OPERATOR:
        return
    for field in fields:
        if any(names_secret(part) for part in field.path):
            raise ForbiddenError(f"viewers can't filter or sort by {'.'.join(field.path)}: they don't see it")


class Fields:
    """The wish for some members only: ``jobId,transitions.trigger.type`` (any case; dots enter lists)."""

    def __init__(self, text: str | None) -> None:
        self._tree: dict[str, Json] | None = None
        if text is not None:
            self._tree = {}
            for path in filter(None, (part.strip() for part in text.split(","))):
                node = self._tree
                for name in path.lower().split("."):
                    node = node.setdefault(name, {})

    def wants(self, name: str) -> bool:
        """Whether the member is asked for."""
        return self._tree is None or name.lower() in self._tree

    def names(self, name: str) -> bool:
        """Whether the member is asked for by its name."""
        return self._tree is not None and name.lower() in self._tree

    def prune(self, view: Json) -> Json:
        """``view`` with the members that are asked for."""
        return view if self._tree is None else _prune(view, self._tree)


def _prune(view: Json, tree: dict[str, Json]) -> Json:
    if not tree:
        return view
    if isinstance(view, dict):
        return {
            key: _prune(member, below)
            for key, member in view.items()
            if (below := tree.get(key.lower())) is not None
        }
    if isinstance(view, list):
        return [_prune(item, tree) for item in view]
    return view
