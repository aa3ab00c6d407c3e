"""Stream conditions that count from a moment on, as conditions that count from the start, and back.

Conditions are kept and judged counting from the start, so that they mean the same to a later worker. Ids and
words count nothing and stay as they are. Pure arithmetic on condition documents.
"""

from __future__ import annotations

from typing import Any

from jobengine.model.condition import MAX_COUNT, StreamReading

Json = Any
_COUNTS = {"frameCount": "elements", "keyFrameCount": "key_elements"}


def counted_from_start(condition: Json, reading: StreamReading) -> Json:
    """A condition that counts from ``reading`` on, as one that counts from the start."""
    return _shifted(condition, reading, 1)


def what_is_left(condition: Json, reading: StreamReading) -> Json:
    """A condition that counts from the start, as one that counts from ``reading`` on."""
    return _shifted(condition, reading, -1)


def _shifted(condition: Json, reading: StreamReading, sign: int) -> Json:
    if isinstance(condition, list):
        return [_shifted(part, reading, sign) for part in condition]
    if not isinstance(condition, dict):
        return condition
    return {name: _member(name, member, reading, sign) for name, member in condition.items()}


def _member(name: str, member: Json, reading: StreamReading, sign: int) -> Json:
    if name in _COUNTS:
        return min(MAX_COUNT, max(1, member + sign * getattr(reading, _COUNTS[name])))
    if name == "tsDeltaSec":
        limit_s = member["maxDeltaSec"] + sign * float(reading.position / reading.rate)
        return {"maxDeltaSec": max(0.0, limit_s)}
    if name == "realTimeDeltaMs":
        return {"configuredDeltaMs": max(0, member["configuredDeltaMs"] + sign * round(reading.elapsed_ms))}
    return _shifted(member, reading, sign) if name in ("any", "all", "not") else member
