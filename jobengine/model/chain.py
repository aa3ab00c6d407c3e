"""The hash chain over a job's history.

A row's hash is SHA-256 over the canonical JSON (RFC 8785) of the row in its API shape, with the hash of
the row before it as ``previousHash``. Passed and Skipped rows form one chain per job in the order of their
``sequence``; a Superseded row stands alone, with an empty ``previousHash``. Checking a stored chain is in
`jobengine.history.audit`.
"""

from __future__ import annotations

import re
from hashlib import sha256
from math import isfinite
from typing import Any

import msgspec
import rfc8785

from jobengine.model.record import TransitionRecord

_encode = msgspec.json.Encoder(order="deterministic").encode
_encode_row = msgspec.json.Encoder().encode

_MAY_DIFFER = re.compile(rb"[:,\[]-?[0-9]+(?:\.0[,\]}]|(?:\.[0-9]+)?e)").search
"""Where a number inside a document may be written otherwise by RFC 8785: whole floats and exponents.
It also strikes inside strings, which costs time only."""

_PLAIN = frozenset({str, int, bool, type(None)})
"""An object of these has no number that could be written otherwise, as most small ones."""

MARK = b"\0"
"""Stands where something is still open: JSON has no such byte."""

OPEN = msgspec.Raw(MARK)
"""A member that is still open."""

_BEYOND_BMP = re.compile(rb"[\xf0-\xf4]").search
"""Where the order of keys may differ: RFC 8785 sorts by UTF-16."""


class HashedRow(msgspec.Struct, rename="camel", gc=False):
    """What the hash of a row covers, its members in the order that RFC 8785 wants.

    Documents are given as their canonical JSON (`canonical`), so that a stored row is hashed without
    reading them.
    """

    actor: str
    created_time: str
    current_proc_state: str | None
    due_time: str | None
    event_name: str | None
    info: msgspec.Raw | None
    job_description: msgspec.Raw | None
    job_id: str
    lateness_ms: int | float | msgspec.Raw | None
    position: int | None
    previous_hash: str
    requested_proc_state: str
    resolved: msgspec.Raw | None
    sequence: int | None
    status: str
    stream_position: msgspec.Raw | None
    superseded_by: str | None
    time_stamp: str | msgspec.Raw | None
    transition_id: str
    trigger: msgspec.Raw
    trigger_type: str
    wake_time: str | None

    def bytes(self) -> bytes:
        """The canonical JSON."""
        return _encode_row(self)

    def hash(self) -> str:
        """SHA-256 of the canonical JSON, as hexadecimal text."""
        return sha256(_encode_row(self)).hexdigest()


class PassingDraft:
    """The hash of a row that will pass, but for its moment: everything else is canonical JSON already."""

    __slots__ = ("_after_lateness", "_after_position", "_after_time", "_until_lateness")

    def __init__(self, transition: TransitionRecord, previous_hash: str) -> None:
        """``transition`` as for `row_hash`; its lateness, position and time stamp are not read."""
        row = _row(transition, previous_hash)
        row.lateness_ms = row.stream_position = row.time_stamp = OPEN
        parts = row.bytes().split(MARK)
        self._until_lateness, self._after_lateness, self._after_position, self._after_time = parts

    def hash(self, lateness_ms: float, position: bytes, time_stamp: str) -> str:
        """`row_hash` of the transition, which has passed meanwhile. ``position`` is canonical JSON."""
        return sha256(
            b"".join(
                (
                    self._until_lateness,
                    _encode(number(lateness_ms)),
                    self._after_lateness,
                    position,
                    self._after_position,
                    _encode(time_stamp),
                    self._after_time,
                )
            )
        ).hexdigest()


def row_hash(transition: TransitionRecord, previous_hash: str) -> str:
    """The hash that belongs to ``transition`` when it follows the row with ``previous_hash``.

    ``transition`` must be complete but for its two hash fields, which are not read.
    """
    return _row(transition, previous_hash).hash()


def _row(transition: TransitionRecord, previous_hash: str) -> HashedRow:
    t = transition
    return HashedRow(  # members by their order: by their names they take seven times as long
        t.actor,
        t.created_time,
        t.current_proc_state,
        t.due_time,
        t.event_name,
        _raw(t.info),
        _raw(t.job_description),
        t.job_id,
        number(t.lateness_ms),
        t.position,
        previous_hash,
        t.requested_proc_state,
        _raw(t.resolved),
        t.sequence,
        t.status,
        _raw(t.stream_position),
        t.superseded_by,
        t.time_stamp,
        t.transition_id,
        msgspec.Raw(canonical(t.trigger)),
        t.trigger_type,
        t.wake_time,
    )


def canonical(value: Any) -> bytes:
    """RFC 8785 JSON of ``value`` (str, int, float, bool, None, list, dict with str keys), as UTF-8.

    Beyond the RFC's domain nothing is refused, so that history is always written: integers outside
    ±2⁵³ are written in full, and NaN and the infinities become null as in ECMAScript.
    Raises UnicodeEncodeError for lone surrogates.
    """
    if isinstance(value, float):
        return _exact(value)
    text = _encode(value)
    is_plain = type(value) is dict and _PLAIN.issuperset(map(type, value.values()))
    if not is_plain and _MAY_DIFFER(text):
        text = _encode(_without_whole_floats(value))
        if _MAY_DIFFER(text):
            return _exact(value)
    return text if text.isascii() or not _BEYOND_BMP(text) else _exact(value)


def number(value: float | None) -> int | float | msgspec.Raw | None:
    """``value`` in a form that the row encoder writes as RFC 8785 wants."""
    if value is None or isinstance(value, int) or (1e-4 < value < 1e15 and value % 1):
        return value
    if value.is_integer() and abs(value) < 2**53:
        return int(value)
    return msgspec.Raw(_exact(value))


def _raw(value: Any) -> msgspec.Raw | None:
    return None if value is None else msgspec.Raw(canonical(value))


def _without_whole_floats(value: Any) -> Any:
    """Levels such as 1.0 are frequent, and as integers they need no slow encoding."""
    kind = type(value)
    if kind is dict:
        return {key: _without_whole_floats(member) for key, member in value.items()}
    if kind is list:
        return [_without_whole_floats(member) for member in value]
    return int(value) if kind is float and value.is_integer() and abs(value) < 2**53 else value


def _exact(value: Any) -> bytes:
    if isinstance(value, dict):
        keys = sorted(value, key=_utf16)
        return b"{" + b",".join([_encode(key) + b":" + _exact(value[key]) for key in keys]) + b"}"
    if isinstance(value, list | tuple):
        return b"[" + b",".join([_exact(member) for member in value]) + b"]"
    if isinstance(value, float):
        return rfc8785.dumps(value) if isfinite(value) else b"null"
    return _encode(value)


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")
