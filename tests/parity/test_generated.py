"""What is published equals what the code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from jobengine.history.tables import metadata
from jobengine.model.lifecycle import JobState, RequestedState, TransitionStatus, TriggerType, mermaid
from jobengine.model.schemas import generate

ROOT = Path(__file__).parents[2]
ADVICE = "run: make schemas"


def test_the_schemas_on_disk_are_those_of_the_models() -> None:
    on_disk = {path.name: json.loads(path.read_text("utf-8")) for path in (ROOT / "schemas").glob("*.json")}

    assert on_disk == json.loads(json.dumps(generate())), ADVICE


@pytest.mark.parametrize("name", sorted(generate()))
def test_a_schema_is_a_valid_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(generate()[name])


def test_the_diagram_in_the_documentation_is_that_of_the_table() -> None:
    assert (ROOT / "docs/explanation/lifecycle.mmd").read_text("utf-8") == mermaid(), ADVICE


def test_the_schema_knows_the_requests_of_the_lifecycle() -> None:
    definition = generate()["job.schema.json"]["$defs"]["RequestedState"]

    assert [str(state) for state in RequestedState] == definition["enum"]


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("jobs", "current_state", JobState),
        ("transitions", "current_proc_state", JobState),
        ("transitions", "status", TransitionStatus),
        ("transitions", "trigger_type", TriggerType),
    ],
)
def test_the_database_accepts_exactly_the_words_of_the_lifecycle(table: str, column: str, words: Any) -> None:
    compared = " OR ".join(f"{column} = '{word}'" for word in words)
    checks = [str(getattr(constraint, "sqltext", "")) for constraint in metadata.tables[table].constraints]

    assert compared in checks
