"""Merge patches (RFC 7396) of pending transitions: what the transition would say, and where faults lie in
the patch.

Lists are replaced whole, as the RFC says, and ``null`` removes. Another trigger ``type`` lets go of what
belonged to the old one. Keys come in any case, except those of
``info`` and of an event's ``match``, which are the client's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobengine.errors import DocumentError, Fault
from jobengine.model.document import TransitionDocument, TransitionPatch, read
from jobengine.model.merge import merge

Json = Any
_COMMON_KEYS = frozenset({"requestedProcState", "options"})
_OWN_KEYS = frozenset({("info",), ("trigger", "match")})


def patched(stored: dict[str, Json], patch: Json) -> TransitionDocument:
    """The transition ``stored`` changed by ``patch``, read as a whole.

    Raises DocumentError with every fault, placed in ``patch``.
    """
    given = read(TransitionPatch, patch).document()
    patch_in_its_keys = _respelt(given, stored, ())
    changed = merge(_without_old_trigger(stored, patch_in_its_keys), patch_in_its_keys)
    if "trigger" not in changed:
        raise DocumentError([Fault("/trigger", "is required; a transition has exactly one")])
    try:
        return read(TransitionDocument, changed)
    except DocumentError as error:
        raise DocumentError(placed(error.faults, patch)) from None


def placed(faults: Iterable[Fault], patch: Json) -> list[Fault]:
    """Faults of the changed transition as faults of ``patch``, in its spelling.

    What the patch does not hold is told in words, at the nearest place above it that the patch does hold.
    """
    return [_placed(fault, patch) for fault in faults]


def _without_old_trigger(stored: dict[str, Json], patch: dict[str, Json]) -> dict[str, Json]:
    """``stored`` with only those members of its trigger that every trigger has, when the type changes.

    A startTime means nothing to a Duration; nobody should have to remove it by name.
    """
    trigger = patch.get("trigger")
    wanted = trigger.get("type") if isinstance(trigger, dict) else None
    if wanted is None or str(wanted).lower() == str(stored["trigger"]["type"]).lower():
        return stored
    common = {key: member for key, member in stored["trigger"].items() if key in _COMMON_KEYS}
    return {**stored, "trigger": common}


def _respelt(patch: Json, target: Json, path: tuple[str, ...]) -> Json:
    """``patch`` with the keys of ``target`` where they differ in case only, so that they are merged."""
    if not isinstance(patch, dict) or not isinstance(target, dict) or path in _OWN_KEYS:
        return patch
    known = {_folded(key): key for key in target if key not in patch}
    result: dict[str, Json] = {}
    for name, member in patch.items():
        key = name if name in target else known.pop(_folded(name), name)
        result[key] = _respelt(member, target.get(key), (*path, key))
    return result


def _placed(fault: Fault, patch: Json) -> Fault:
    parts, here, pointer = fault.pointer.split("/")[1:], patch, ""
    for depth, part in enumerate(parts):
        key = _key(here, part)
        if key is None:
            return Fault(pointer, f"{'/'.join(parts[depth:])}, as it would be then: {fault.detail}")
        pointer, here = f"{pointer}/{key}", here[int(key) if isinstance(here, list) else _plain(key)]
    return Fault(pointer, fault.detail)


def _key(value: Json, part: str) -> str | None:
    """How ``value`` spells the pointer's part; None if it has no such member."""
    if isinstance(value, list):
        return part if part.isdigit() and int(part) < len(value) else None
    if not isinstance(value, dict):
        return None
    plain = _plain(part)
    found = plain if plain in value else next((k for k in value if _folded(k) == _folded(plain)), None)
    return None if found is None else found.replace("~", "~0").replace("/", "~1")


def _plain(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _folded(key: str) -> str:
    return key.lower().replace("_", "")
