"""Every example in the documentation is a document that the engine takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from jobengine.model.check import Prior, Surroundings, check_transitions
from jobengine.model.document import EventDocument, JobDocument, read, read_transitions
from jobengine.model.plan import Planned
from jobengine.model.roots import MediaRoots
from jobengine.model.timeline import rehearse

FOLDER = Path(__file__).parents[3] / "docs" / "examples"
EXAMPLES = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
AROUND = Surroundings(MediaRoots(PurePosixPath("/data/media")), "studio-1")
RATE = Fraction(48_000)


def names_with(key: str) -> list[str]:
    return [name for name, document in EXAMPLES.items() if key in document]


@pytest.mark.parametrize("name", names_with("transitions"))
def test_jobs_have_no_fault(name: str) -> None:
    document = read(JobDocument, EXAMPLES[name])
    assert check_transitions(document.transitions, Prior(), AROUND) == []


@pytest.mark.parametrize("name", names_with("trigger"))
def test_transitions_fit_the_running_test_signal(name: str) -> None:
    first = EXAMPLES["test-signal.json"]["transitions"][0]["jobDescription"]
    prior = Prior(first, "pipe", is_prepared=True)
    assert check_transitions(read_transitions(EXAMPLES[name]), prior, AROUND, "") == []


@pytest.mark.parametrize("name", names_with("data"))
def test_events_are_events(name: str) -> None:
    assert read(EventDocument, EXAMPLES[name]).name


def test_every_example_is_of_one_of_these_forms() -> None:
    known = {*names_with("transitions"), *names_with("trigger"), *names_with("data")}
    assert known == set(EXAMPLES)


def test_the_recording_ends_at_4800_ms() -> None:
    entries = rehearsal(EXAMPLES["record.json"])
    assert [(entry["streamTimeMs"], entry["currentProcState"]) for entry in entries] == [
        (0.0, "Running"),
        (2000.0, "Running"),
        (3000.0, "Running"),
        (4800.0, "Finished"),
    ]


def rehearsal(document: dict[str, Any]) -> list[dict[str, Any]]:
    triggers: list[Any] = [transition.trigger for transition in read(JobDocument, document).transitions]
    planned = [Planned(str(place), place, trigger.document()) for place, trigger in enumerate(triggers)]
    return rehearse(planned, datetime(2026, 1, 1, tzinfo=UTC), RATE)
