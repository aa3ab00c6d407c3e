"""What a transition list must hold beyond its shape: completeness, kinds of work, paths, placeholders.

`check_transitions` looks at a list in the order it was posted, after whatever the job already has, and
names every fault by its pointer in the posted document. It reads no clock and opens no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from jobengine.errors import Fault
from jobengine.model.condition import uses
from jobengine.model.description import JobDescription
from jobengine.model.document import TransitionDocument
from jobengine.model.faults import faults_of
from jobengine.model.kind import KINDS, MERGE_KEYS, Kind
from jobengine.model.lifecycle import RequestedState
from jobengine.model.merge import merge
from jobengine.model.placeholder import fill_in, find_faults
from jobengine.model.roots import MediaRoots
from jobengine.model.trigger import LevelTrigger, StreamTrigger

Json = Any
_PREPARING = frozenset({RequestedState.WAIT, RequestedState.PAUSE, RequestedState.START})
_NOT_YET = {
    "outputSwitch": "output switches come with the complete pipe; this version writes one file per output",
    "databaseGroups": "database groups are not supported",
    "externalControl": "external control is not supported; use Event triggers",
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a check needs to know of the service: where media may be, its host name, its variables."""

    roots: MediaRoots
    host: str
    variables: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prior:
    """What the job has before the checked list: its effective description and whether it is fixed."""

    effective: Mapping[str, Json] = field(default_factory=dict)
    kind: str | None = None
    is_prepared: bool = False


def kind_of(description: Mapping[str, Json] | None) -> str | None:
    """The kind of work that a description is for; None if it names none."""
    if not description:
        return None
    return next((kind.name for kind in KINDS if description.get(kind.key) is not None), None)


def check_transitions(
    transitions: Sequence[TransitionDocument],
    prior: Prior,
    surroundings: Surroundings,
    prefix: str = "/transitions",
) -> list[Fault]:
    """Every fault of ``transitions``; an empty list means that they may be appended."""
    check = _Check(prior, surroundings)
    for index, transition in enumerate(transitions):
        check.take(transition, f"{prefix}/{index}" if len(transitions) > 1 or prefix else prefix)
    return check.faults


class _Check:
    """Walks a list once, folding descriptions as the job will."""

    def __init__(self, prior: Prior, surroundings: Surroundings) -> None:
        self.faults: list[Fault] = []
        self._surroundings = surroundings
        self._effective: Json = dict(prior.effective)
        self._kind = prior.kind
        self._is_prepared = prior.is_prepared
        self._posted: list[tuple[str, Json]] = []

    def take(self, transition: TransitionDocument, pointer: str) -> None:
        self._check_trigger(transition, f"{pointer}/trigger")
        if transition.job_description is not None:
            self._take_description(transition.job_description.document(), f"{pointer}/jobDescription")
        if transition.trigger.requested_proc_state in _PREPARING and not self._is_prepared:
            self._is_prepared = True
            self._check_complete(pointer)

    def _check_trigger(self, transition: TransitionDocument, pointer: str) -> None:
        trigger = transition.trigger
        if isinstance(trigger, LevelTrigger):
            text = "Level triggers come with the complete pipe; this version can't watch levels yet"
            self.faults.append(Fault(f"{pointer}/type", text))
        if trigger.options is not None and trigger.options.output_switch:
            self.faults.append(Fault(f"{pointer}/options/outputSwitch", _NOT_YET["outputSwitch"]))
        if (
            isinstance(trigger, StreamTrigger)
            and self._kind in (None, "pipe")
            and uses(trigger.condition, "last_frame")
        ):
            text = "lastFrame needs a work whose elements have ids; samples have none"
            self.faults.append(Fault(f"{pointer}/condition", text))

    def _take_description(self, description: Json, pointer: str) -> None:
        for key, text in _NOT_YET.items():
            if description.get(key) is not None:
                self.faults.append(Fault(f"{pointer}/{key}", text))
        placeholder_faults = find_faults(description, self._surroundings.variables, pointer)
        self.faults += placeholder_faults or _doubled_names(description, pointer)
        if placeholder_faults:
            return
        filled, values = fill_in(description, self._surroundings.host, self._surroundings.variables)
        unfit = _unfit(filled, pointer) if values else []
        if unfit:
            self.faults += unfit
            return
        self._check_kind(filled, pointer)
        self._posted.append((pointer, filled))
        self._effective = merge(self._effective, filled, MERGE_KEYS)
        if self._is_prepared:
            self._check_change(filled, pointer)

    def _check_kind(self, description: Json, pointer: str) -> None:
        kind = kind_of(description)
        if kind is None:
            return
        if self._kind is None and not self._is_prepared:
            self._kind = kind
        elif self._kind != kind:
            now = f"its work is {self._kind}" if self._kind else "it already runs without work"
            key = _kind_named(kind).key
            self.faults.append(Fault(f"{pointer}/{key}", f"a job has exactly one kind of work; {now}"))

    def _check_change(self, description: Json, pointer: str) -> None:
        kind = _kind_named(self._kind) if self._kind else None
        if kind is None or not isinstance(description.get(kind.key), dict):
            return
        fixed = [key for key in description[kind.key] if key not in kind.changeable]
        for key in fixed:
            changeable = ", ".join(sorted(kind.changeable)) or "nothing"
            text = f"is fixed once the job is prepared; only {changeable} may change"
            self.faults.append(Fault(f"{pointer}/{kind.key}/{key}", text))
        if not fixed:
            self._check_work(kind, pointer.removesuffix("/jobDescription"))

    def _check_complete(self, pointer: str) -> None:
        if self._kind is not None:
            self._check_work(_kind_named(self._kind), pointer)

    def _check_work(self, kind: Kind, pointer: str) -> None:
        for fault in kind.check(self._effective.get(kind.key) or {}, self._surroundings.roots):
            self.faults.append(Fault(self._place_of(kind, fault.pointer, pointer), fault.detail))

    def _place_of(self, kind: Kind, inner: str, fallback: str) -> str:
        """The newest posted description that holds this place, so that people find what to mend."""
        for pointer, description in reversed(self._posted):
            if _has(description, [kind.key, *inner.split("/")[1:]]):
                return f"{pointer}/{kind.key}{inner}"
        newest = self._posted[-1][0] if self._posted else f"{fallback}/jobDescription"
        return f"{newest}/{kind.key}{inner}"


def _unfit(filled: Json, pointer: str) -> list[Fault]:
    """What a description is not any more with the values of its variables: they may be any JSON."""
    try:
        JobDescription.model_validate(filled)
    except ValidationError as error:
        found = faults_of(error, filled, pointer)
        return [Fault(fault.pointer, f"{fault.detail}, with its variables filled in") for fault in found]
    return []


def _kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def _has(document: Json, path: Sequence[str]) -> bool:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return False
    return True


def _doubled_names(document: Json, pointer: str, path: str = "") -> list[Fault]:
    """A keyed list may name each item once: which of two would win is nobody's guess."""
    faults: list[Fault] = []
    if isinstance(document, dict):
        for key, member in document.items():
            faults += _doubled_names(member, f"{pointer}/{key}", f"{path}.{key}" if path else key)
    elif isinstance(document, list):
        names = MERGE_KEYS.get(path)
        seen: set[tuple[Json, ...]] = set()
        for index, item in enumerate(document):
            name = tuple(item.get(n) for n in names) if names and isinstance(item, dict) else None
            if name is not None and name in seen:
                faults.append(
                    Fault(f"{pointer}/{index}", f"{' '.join(map(str, name))} is named twice in this list")
                )
            elif name is not None:
                seen.add(name)
            faults += _doubled_names(item, f"{pointer}/{index}", path)
    return faults
