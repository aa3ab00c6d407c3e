"""Documents for tests of the engine, in few words."""

from __future__ import annotations

from typing import Any

from jobengine.testing.clock import START

__all__ = ["START", "after", "at", "immediate", "job", "on", "pipe_job", "when"]

PIPE = {"pipeSpec": {"inputGraph": [{"name": "In", "filter": [{"name": "FileReader", "filePath": "a.wav"}]}]}}


def immediate(state: str, **members: Any) -> dict[str, Any]:
    """As soon as possible."""
    return {"trigger": {"type": "Immediate", "requestedProcState": state}, **members}


def at(moment: str, state: str, **trigger: Any) -> dict[str, Any]:
    """At 11:``moment`` of the day on which manual clocks start (at 11:00)."""
    start_time = f"2026-12-01T11:{moment}Z"
    return {"trigger": {"type": "Time", "startTime": start_time, "requestedProcState": state, **trigger}}


def after(duration_ms: int, state: str) -> dict[str, Any]:
    """A Duration."""
    return {"trigger": {"type": "Duration", "duration": duration_ms, "requestedProcState": state}}


def on(name: str, state: str, **trigger: Any) -> dict[str, Any]:
    """An Event."""
    return {"trigger": {"type": "Event", "name": name, "requestedProcState": state, **trigger}}


def when(condition: Any, state: str) -> dict[str, Any]:
    """A Stream condition."""
    return {"trigger": {"type": "Stream", "condition": condition, "requestedProcState": state}}


def job(*transitions: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A job without work."""
    return {"transitions": list(transitions), **members}


def pipe_job(*transitions: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A job whose first transition brings a pipe."""
    first, *others = transitions
    return {"transitions": [{**first, "jobDescription": PIPE}, *others], **members}
