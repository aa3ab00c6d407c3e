"""Placeholders in job descriptions: ``${StartTime|format}``, ``${ProcessingHost}``, ``${Var:Name}``.

The service fills in the host and the variables when a description is posted, and keeps the original
text and the values used. ``StartTime`` is filled in by the worker when the target is made. Placeholder
names are read in any case, variable names exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jobengine.errors import Fault

Json = Any
DEFAULT_FORMAT = "yyyy-MM-dd HH:mm:ss"
_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_.@]+")
_SEPARATORS = " .,;:/-()[]_"

_TOKENS: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda t: f"{t.year:04d}",
    "YYYY": lambda t: f"{t.year:04d}",
    "yy": lambda t: f"{t.year % 100:02d}",
    "MM": lambda t: f"{t.month:02d}",
    "M": lambda t: str(t.month),
    "dddd": lambda t: t.strftime("%A"),
    "ddd": lambda t: t.strftime("%a"),
    "dd": lambda t: f"{t.day:02d}",
    "d": lambda t: str(t.day),
    "HH": lambda t: f"{t.hour:02d}",
    "H": lambda t: str(t.hour),
    "hh": lambda t: f"{(t.hour + 11) % 12 + 1:02d}",
    "h": lambda t: str((t.hour + 11) % 12 + 1),
    "mm": lambda t: f"{t.minute:02d}",
    "m": lambda t: str(t.minute),
    "ss": lambda t: f"{t.second:02d}",
    "s": lambda t: str(t.second),
    "fff": lambda t: f"{t.microsecond // 1000:03d}",
    "ff": lambda t: f"{t.microsecond // 10000:02d}",
    "f": lambda t: f"{t.microsecond // 100000}",
    "a": lambda t: "AM" if t.hour < 12 else "PM",
}
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)) + "|.", re.DOTALL)


def fill_start_time(text: str, start: datetime) -> str:
    """``text`` with every ``${StartTime}`` and ``%TIMESTAMP%`` replaced by ``start`` (given in UTC)."""

    def replace(match: re.Match[str]) -> str:
        name, _, pattern = match[1].partition("|")
        return _format(pattern or DEFAULT_FORMAT, start) if name.lower() == "starttime" else match[0]

    stamp = _format("yyyy-MM-dd_HH-mm-ss.fff", start)
    return _PLACEHOLDER.sub(replace, text).replace("%TIMESTAMP%", stamp)


def find_faults(document: Json, variables: Mapping[str, Json], pointer: str = "") -> list[Fault]:
    """Everything wrong with the placeholders anywhere in ``document``."""
    faults: list[Fault] = []
    for place, text in _texts(document, pointer):
        faults += [
            Fault(place, detail)
            for match in _PLACEHOLDER.finditer(text)
            if (detail := _fault(match[1], variables) or _joint_fault(match, variables))
        ]
        if "${" in _PLACEHOLDER.sub("", text):
            faults.append(Fault(place, "has a placeholder without its closing brace"))
    return faults


def fill_in(document: Json, host: str, variables: Mapping[str, Json]) -> tuple[Json, dict[str, Json]]:
    """``document`` with host and variables filled in, and the values used by placeholder.

    A text that is nothing but one variable becomes that variable's value, of whatever JSON type; inside
    other text the value must be text or a number. The document must be free of faults.
    """
    used: dict[str, Json] = {}

    def value_of(name: str) -> Json:
        kind, _, rest = name.partition(":")
        if kind.lower() == "processinghost":
            used["ProcessingHost"] = host
            return host
        if kind.lower() == "var":
            used[f"Var:{rest}"] = variables[rest]
            return variables[rest]
        return None

    def fill(text: str) -> Json:
        whole = _PLACEHOLDER.fullmatch(text)
        if whole and (value := value_of(whole[1])) is not None:
            return value
        return _PLACEHOLDER.sub(lambda m: m[0] if (v := value_of(m[1])) is None else str(v), text)

    return _map_texts(document, fill), used


def _fault(content: str, variables: Mapping[str, Json]) -> str | None:
    name, bar, pattern = content.partition("|")
    kind, _, rest = name.partition(":")
    if name.lower() == "starttime":
        return _format_fault(pattern) if bar else None
    if name.lower() == "processinghost":
        return "ProcessingHost takes no format" if bar else None
    if kind.lower() != "var":
        return f"has an unknown placeholder ${{{content}}}; known are StartTime, ProcessingHost and Var:Name"
    if not _VARIABLE_NAME.fullmatch(rest):
        return f"has a variable name {rest!r}; letters, digits and _ . @ are allowed"
    if rest not in variables:
        return f"uses the variable {rest!r}, which is not defined"
    return None


def _joint_fault(match: re.Match[str], variables: Mapping[str, Json]) -> str | None:
    """Whether the value of a known variable can't be a part of its text."""
    kind, _, name = match[1].partition(":")
    if kind.lower() != "var" or match[0] == match.string:
        return None
    value = variables[name]
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return None
    return f"has the variable {name!r} inside other text, where only texts and numbers can be filled in"


def _format_fault(pattern: str) -> str | None:
    strange = [t for t in _TOKEN.findall(pattern) if t not in _TOKENS and t not in _SEPARATORS]
    if not pattern or strange:
        return (
            f"has a time format {pattern!r} with {strange[0]!r} in it"
            if strange
            else "has an empty time format"
        )
    return None


def _format(pattern: str, moment: datetime) -> str:
    return _TOKEN.sub(lambda m: _TOKENS[m[0]](moment) if m[0] in _TOKENS else m[0], pattern)


def _texts(document: Json, pointer: str) -> list[tuple[str, str]]:
    if isinstance(document, str):
        return [(pointer, document)] if "${" in document else []
    if isinstance(document, dict):
        return [hit for key, member in document.items() for hit in _texts(member, f"{pointer}/{key}")]
    if isinstance(document, list):
        return [hit for index, member in enumerate(document) for hit in _texts(member, f"{pointer}/{index}")]
    return []


def _map_texts(document: Json, change: Callable[[str], Json]) -> Json:
    if isinstance(document, str):
        return change(document) if "${" in document else document
    if isinstance(document, dict):
        return {key: _map_texts(member, change) for key, member in document.items()}
    if isinstance(document, list):
        return [_map_texts(member, change) for member in document]
    return document
