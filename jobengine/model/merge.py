"""Incremental descriptions: RFC 7396 merge patch, with lists of named things merged by their key.

``keys`` maps the dotted path of such a list to the members that name an item; the schema declares the
same as ``x-merge-key``. Every other list replaces, as the RFC says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = Any
MergeKeys = Mapping[str, tuple[str, ...]]


def merge(target: Json, patch: Json, keys: MergeKeys | None = None, path: str = "") -> Json:
    """``target`` changed by ``patch``; neither is modified, the result may share parts with both."""
    if isinstance(patch, list) and isinstance(target, list) and keys and path in keys:
        return _merge_named(target, patch, keys, path)
    if not isinstance(patch, dict):
        return _merge_named([], patch, keys, path) if _is_named(patch, keys, path) else patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, member in patch.items():
        if member is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), member, keys, f"{path}.{name}" if path else name)
    return result


def fold(
    descriptions: Iterable[Json], keys: MergeKeys | None = None, start: Mapping[str, Json] | None = None
) -> dict[str, Json]:
    """The effective description after all of ``descriptions``, in order, beginning with ``start``."""
    effective = dict(start or {})
    for description in descriptions:
        effective = merge(effective, description or {}, keys)
    return effective


def _is_named(patch: Json, keys: MergeKeys | None, path: str) -> bool:
    return isinstance(patch, list) and bool(keys) and path in (keys or {})


def _merge_named(target: list[Json], patch: list[Json], keys: MergeKeys | None, path: str) -> list[Json]:
    names = (keys or {})[path]
    result = list(target)
    places = {_name(item, names): index for index, item in enumerate(result)}
    for item in patch:
        name = _name(item, names)
        if name in places:
            result[places[name]] = merge(result[places[name]], item, keys, path)
        else:
            places[name] = len(result)
            result.append(merge(None, item, keys, path))
    return result


def _name(item: Json, names: tuple[str, ...]) -> tuple[Json, ...]:
    return tuple(item.get(name) for name in names) if isinstance(item, dict) else (str(item),)
