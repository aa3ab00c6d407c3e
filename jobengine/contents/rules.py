"""The rules in force: those that ship, and what was changed of them, over the documents of any store.

A change is in force for every process with the next request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jobengine.contents.shipped_rules import SHIPPED
from jobengine.errors import ConflictError, NotFoundError, RevisionMismatch
from jobengine.model.merge import merge
from jobengine.model.roots import MediaRoots
from jobengine.model.rule import NamedRule, Rule, pattern_set, read_rules
from jobengine.ports.contents import ContentStore, DeleteDocument, PutDocument, Write

Json = Any
Rules = Mapping[str, Json]
Changes = Mapping[str, Json | None]
MAX_RULES = 1000
_RULES = "rules"
_GUARD = ("rule-changes", "count")
_REMOVED = {"removed": True}
_RACES = 100


@dataclass(frozen=True, slots=True)
class _Known:
    """The rules as of a change of them, known to hold as of a version of the store. ``sets`` are the
    patterns of those that want more than failures, by method."""

    version: int
    changes: int
    rules: tuple[NamedRule, ...]
    sets: Mapping[str, Any]

    @classmethod
    def of(cls, version: int, changes: int, rules: list[NamedRule]) -> _Known:
        ordered = tuple(sorted(rules, key=lambda named: (named.rule.order, named.name)))
        wanting = [named.rule for named in rules if named.rule.enabled and named.rule.wants_success]
        methods = {method for rule in wanting for method in rule.method}
        patterns = {m: [rule.path_pattern for rule in wanting if m in rule.method] for m in methods}
        return cls(version, changes, ordered, {m: pattern_set(texts) for m, texts in patterns.items()})


class RuleBook:
    """The rules of one store. Thread-safe; races between processes are decided by the store.

    ``roots``: those that the parameters of changed rules are checked with.
    """

    def __init__(self, store: ContentStore, roots: MediaRoots | None = None) -> None:
        self._store = store
        self._roots = roots
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def rules(self) -> tuple[NamedRule, ...]:
        """All rules in the order in which they are asked. Cheap while nothing has changed."""
        return self._current().rules

    def revision(self) -> int:
        """Which change of the whole set this is, from 0; any other set has another."""
        return self._current().changes

    def may_concern(self, method: str, path: str) -> bool:
        """Whether a rule may fit such a request before it is routed, or when it has succeeded."""
        found = self._current().sets.get("GET" if method == "HEAD" else method)
        return found is not None and bool(found.Match(path))

    def _current(self) -> _Known:
        version = self._store.version()
        known = self._known
        if known is not None and known.version == version:
            return known
        with self._lock:
            changes = self._changes()
            if known is None or known.changes != changes:
                known = _Known.of(version, changes, self._read())
            self._known = known = replace(known, version=version)
            return known

    def get(self, name: str) -> NamedRule:
        """One rule. Raises NotFoundError."""
        found = next((named for named in self.rules() if named.name == name), None)
        if found is None:
            raise NotFoundError(f"there is no rule {name!r}")
        return found

    def put(self, name: str, rule: Rule, expected: int | None = None, *, creates_only: bool = False) -> bool:
        """Set a rule; whether there was none of this name.

        Here and below ``expected`` is the revision that is to be changed, None any; RevisionMismatch is
        raised if it is another one by then, or if there is a rule and ``creates_only``.
        """

        def decide(before: Rules) -> Changes:
            if creates_only and name in before:
                raise RevisionMismatch(f"there is a rule {name!r} already")
            return {name: rule.document()}

        return name not in self._change(decide, expected)

    def remove(self, name: str, expected: int | None = None) -> None:
        """Remove a rule, also one that ships. Raises NotFoundError."""

        def decide(before: Rules) -> Changes:
            if name not in before:
                raise NotFoundError(f"there is no rule {name!r}")
            return {name: None}

        self._change(decide, expected)

    def patch(self, patch: Mapping[str, Json], expected: int | None = None) -> None:
        """Merge (RFC 7396) into the whole set, all or nothing: null removes, other members stay.

        Raises DocumentError with every fault.
        """

        def decide(before: Rules) -> Changes:
            given = {name: part for name, part in patch.items() if part is not None}
            changed = {name: merge(before.get(name, {}), part) for name, part in given.items()}
            read_rules(changed, self._roots)
            return {name: changed.get(name) for name in patch}

        self._change(decide, expected)

    def _change(self, decide: Callable[[Rules], Changes], expected: int | None) -> Rules:
        """Commit what ``decide`` makes of the documents in force, which are returned; None removes."""
        for _ in range(_RACES):
            found = self._store.document(*_GUARD)
            revision = found.revision if found else 0
            if expected not in (None, revision):
                raise RevisionMismatch(f"the rules are at revision {revision}", revision=revision)
            before = {named.name: named.rule.document() for named in self._read()}
            changes = decide(before)
            if len({*before, *changes}) > MAX_RULES:
                raise ConflictError(f"there can be {MAX_RULES} rules at most")
            count = found.value["changes"] if found else 0
            guard = PutDocument(*_GUARD, {"changes": count + 1}, revision)
            try:
                self._store.commit([guard, *(_write(name, value) for name, value in changes.items())])
            except RevisionMismatch:
                continue
            return before
        raise ConflictError(f"rules were changed by others {_RACES} times meanwhile; try again")

    def _read(self) -> list[NamedRule]:
        stored = {document.key: document.value for document in self._store.documents(_RULES)}
        kept = [NamedRule(name, rule, True) for name, rule in SHIPPED.items() if name not in stored]
        changed = [
            NamedRule(name, Rule.model_validate(value)) for name, value in stored.items() if value != _REMOVED
        ]
        return [*kept, *changed]

    def _changes(self) -> int:
        found = self._store.document(*_GUARD)
        return found.revision if found else 0


def _write(name: str, value: Json | None) -> Write:
    if value is not None:
        return PutDocument(_RULES, name, value, None)
    return PutDocument(_RULES, name, _REMOVED, None) if name in SHIPPED else DeleteDocument(_RULES, name)
