"""What a running job does, as it does it: passed transitions and, in between, its progress.

A thread follows the events; whoever iterates gets progress at an interval, because counters are no events.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from jobengine.errors import UnavailableError

if TYPE_CHECKING:
    from jobengine.client import Client, Job
    from jobengine.model.lifecycle import JobState

Json = Any


@dataclass(frozen=True, slots=True)
class Observation:
    """``document`` is a row of the history, or the progress."""

    kind: Literal["passed", "progress"]
    document: dict[str, Json]

    def line(self) -> str:
        """``key=value`` pairs for people and simple programs."""
        return " ".join(f"{key}={value}" for key, value in self._pairs() if value not in (None, ""))

    def _pairs(self) -> Iterator[tuple[str, Json]]:
        found = self.document
        if self.kind == "passed":
            position = found.get("streamPosition") or {}
            yield "passed", found.get("trigger", {}).get("type")
            yield "requested", found.get("trigger", {}).get("requestedProcState")
            yield "state", found.get("currentProcState")
            yield "out_time", stream_time(position)
            yield "samples", position.get("samples")
            yield "late_ms", found.get("latenessMs")
            return
        position = found.get("position") or {}
        yield "progress", found.get("unavailable") or ("continue" if found.get("live") else "waiting")
        yield "state", found.get("state") or found.get("currentState")
        yield "out_time", stream_time(position)
        yield "samples", position.get("samples")
        yield "speed", f"{found['speed']:.2f}x" if "speed" in found else None
        yield "drop", found.get("drops")
        counters = found.get("counters") or {}
        yield from _waiting(found.get("queue"))
        yield "phase", counters.get("phase")
        yield "elements", counters.get("elements")
        yield "circuit", "open" if counters.get("circuit") == "open" else None
        yield "dead_letters", counters.get("deadLetters") or None


def _waiting(queued: dict[str, Json] | None) -> Iterator[tuple[str, Json]]:
    if queued is not None:
        yield "place", f"{queued['place']}/{queued['waiting']}"
        yield "waits_for", json.dumps(queued["waitsFor"], ensure_ascii=False)


def stream_time(position: dict[str, Json]) -> str | None:
    """A stream position as ``hh:mm:ss.mmm``; None if there is none."""
    if "pts" not in position or "timeBase" not in position:
        return None
    milliseconds = int(position["pts"] * Fraction(position["timeBase"]) * 1000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{milliseconds:03d}"


def observe(client: Client, job: Job, interval_s: float) -> Iterator[Observation]:
    """Every transition that passes, from the first on, and the progress between; ends with the job.

    Blocks up to ``interval_s`` at a time. A service that is away for less than the patience of the event
    feed is waited for. Raises what the client raises.
    """
    changes: queue.SimpleQueue[JobState | Exception] = queue.SimpleQueue()
    follower = threading.Thread(target=_follow, args=(client.jobs.handle(job.id), changes), daemon=True)
    follower.start()
    seen = 0
    while True:
        try:
            change = changes.get(timeout=interval_s)
        except queue.Empty:
            yield Observation("progress", _progress(job))
            continue
        if isinstance(change, Exception):
            raise change
        history = job.history()
        yield from (Observation("passed", row) for row in history[seen:])
        seen = len(history)
        if change.is_final:
            follower.join()
            return


def _progress(job: Job) -> dict[str, Json]:
    try:
        return job.progress()
    except UnavailableError as error:
        return {"unavailable": "unavailable", "detail": error.detail}


def _follow(job: Job, changes: queue.SimpleQueue[JobState | Exception]) -> None:
    try:
        job.wait(on_change=lambda read: changes.put(read.state))
    except Exception as error:  # handed to the thread that iterates
        changes.put(error)
