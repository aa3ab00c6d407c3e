"""What the demo promises, and what was found: in the history, in the files, sample by sample."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobengine.cli.demo.wav import WavFile, differing, read_wav

RATE_HZ = 48_000
LEVEL_CHANGE_SAMPLE = 2_000 * RATE_HZ // 1000
RAMP_END_SAMPLE = (2_000 + 1_000 + 500) * RATE_HZ // 1000
FINISH_SAMPLE = (2_000 + 1_000 + 1_800) * RATE_HZ // 1000
PLANNED_STATES = ["Running", "Running", "Running", "Finished"]
LIVE_TOLERANCE_S = 2.0
"""The machine may stand still between a sample and its note in the history."""

SELECT_HISTORY = """\
SELECT sequence, time_stamp, trigger_type, requested_proc_state, current_proc_state, samples, lateness_ms
  FROM job_history WHERE job_id = ? ORDER BY sequence"""
SELECT_SPANS = "SELECT state, seconds FROM job_state_spans WHERE job_id = ? AND seconds IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Proof:
    """One promise, and whether it was kept."""

    what: str
    promised: str
    found: str
    is_kept: bool


def read_rows(database: Path, statement: str, job_id: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Titles and rows of a statement, read as any SQL tool would: from the file, read-only."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        cursor = connection.execute(statement, (job_id,))
        return [column[0] for column in cursor.description], cursor.fetchall()


def prove_film(history: Sequence[tuple[Any, ...]], outputs: Sequence[dict[str, Any]]) -> Iterator[Proof]:
    """The job of the film. ``history`` as `SELECT_HISTORY` gives it, ``outputs`` as the service tells."""
    states = [row[4] for row in history if row[5] is not None and row[4] != "Waiting"]
    yield _equal("states passed through", " > ".join(_with_pause_of(states)), " > ".join(states))
    at = {(row[2], row[4]): row[5] for row in history}
    yield _equal(
        "history: paused and resumed at one sample", at.get(("Immediate", "Paused")), _resumed_at(history)
    )
    yield _equal("history: finish at 4800 ms is sample", FINISH_SAMPLE, at.get(("Duration", "Finished")))
    files = {output["graph"]: read_wav(Path(output["path"])) for output in outputs}
    for output in outputs:
        yield from _prove_length(output["graph"], files[output["graph"]], FINISH_SAMPLE, output)
    first, last = differing(files["Programme"], files["Reference"]) or (None, None)
    yield _equal("files: level changes at 2000 ms, sample", LEVEL_CHANGE_SAMPLE, first)
    yield _equal("files: ramp back ends at 3500 ms, last changed sample", RAMP_END_SAMPLE - 1, last)


def prove_tone(
    history: Sequence[tuple[Any, ...]], spans: Sequence[tuple[Any, ...]], outputs: Sequence[dict[str, Any]]
) -> Iterator[Proof]:
    """The live job: it is as long as it was Running."""
    samples = history[-1][5]
    for output in outputs:
        yield from _prove_length(output["graph"], read_wav(Path(output["path"])), samples, output)
    running_s = sum(seconds for state, seconds in spans if state == "Running")
    off_s = abs(samples / RATE_HZ - running_s)
    found = f"{samples / RATE_HZ:.3f} s"
    yield Proof("live job: as long as it was Running", f"{running_s:.3f} s", found, off_s <= LIVE_TOLERANCE_S)


def _with_pause_of(states: Sequence[str]) -> list[str]:
    """What was planned, and the pause where it has come: it is asked for by hand."""
    place = states.index("Paused") if "Paused" in states else 1
    return [*PLANNED_STATES[:place], "Paused", "Running", *PLANNED_STATES[place:]]


def _prove_length(graph: str, file: WavFile, samples: int, output: dict[str, Any]) -> Iterator[Proof]:
    yield _equal(f"file of {graph}: samples by its own header", samples, file.frames)
    yield _equal(f"file of {graph}: samples as the service tells", samples, output["samples"])


def _resumed_at(history: Sequence[tuple[Any, ...]]) -> int | None:
    states = [row[4] for row in history]
    following = history[states.index("Paused") + 1 :] if "Paused" in states else []
    return next((row[5] for row in following if row[4] == "Running"), None)


def _equal(what: str, promised: Any, found: Any) -> Proof:
    return Proof(what, str(promised), str(found), promised is not None and promised == found)
