"""What can still be said of a job document that has faults of shape, so that people mend all at once.

What can't be read is left out, and the rest is checked for what it means. Whatever might be wrong only
because something was left out is not told: better one fault later than one that is none.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from jobengine.errors import DocumentError, Fault
from jobengine.model.check import Prior, Surroundings, check_transitions
from jobengine.model.document import JobDocument, read
from jobengine.model.lifecycle import RequestedState

Json = Any
_NAMES = frozenset({"filter", "graph", "inputgraph", "name", "outputgraph", "recipe"})
"""Members that others refer to or depend on: without them nothing is certain."""
_STATES = {state.lower(): state for state in RequestedState}


def further_faults(value: Json, faults: Sequence[Fault], surroundings: Surroundings) -> list[Fault]:
    """What is wrong with the meaning of a job document, beside ``faults`` of its shape."""
    rest = copy.deepcopy(value)
    left_out: list[str] = []
    for fault in faults:
        place = _leave_out(rest, fault.pointer.split("/")[1:])
        if place is None:
            return []
        left_out.append(place)
    try:
        document = read(JobDocument, rest)
    except DocumentError:
        return []
    found = check_transitions(document.transitions, Prior(), surroundings)
    return [fault for fault in found if not any(_touches(fault.pointer, place) for place in left_out)]


def _leave_out(document: Json, path: list[str]) -> str | None:
    """Take a member out; its pointer, or None if that can't be done without moving or losing others."""
    keys = [part.replace("~1", "/").replace("~0", "~") for part in path]
    if len(keys) > 2 and keys[0].lower() == "transitions" and keys[2].lower() == "trigger":
        parent, keys, path = document[keys[0]][int(keys[1])], keys[:3], path[:3]
        parent[keys[2]] = _plain_trigger(parent.get(keys[2]))
        return "/" + "/".join(path)
    here = document
    for key in keys[:-1]:
        here = here[int(key)] if isinstance(here, list) else here[key]
    if not keys or not isinstance(here, dict) or keys[-1].lower() in _NAMES:
        return None
    return "/" + "/".join(path) if here.pop(keys[-1], _NAMES) is not _NAMES else None


def _plain_trigger(trigger: Json) -> Json:
    """A trigger that requests the same, if that can be told: the rest of the list depends on it."""
    members = (
        {str(key).lower(): member for key, member in trigger.items()} if isinstance(trigger, dict) else {}
    )
    wanted = _STATES.get(str(members.get("requestedprocstate")).lower(), RequestedState.NONE)
    return {"type": "Immediate", "requestedProcState": str(wanted)}


def _touches(pointer: str, place: str) -> bool:
    """Whether one of two places lies in the other."""
    return f"{pointer}/".startswith(f"{place}/") or f"{place}/".startswith(f"{pointer}/")
