"""Every operation, called with generated input: answers are documented, valid, and never a 500."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.unit.rest.bench import Bench, immediate, make_bench

# Not checked: that input beyond the schema is refused. Keys of any case and numbers as text are taken on
# purpose, as old documents have them, and the schema shows only how they come back.
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
STREAM = "/api/events/stream"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    from jobengine.history.database import Database

    folder: Path = tmp_path_factory.mktemp("service")
    url = f"sqlite:///{folder}/jobs.sqlite3"
    database = Database(url)
    database.upgrade()
    database.close()
    made = make_bench(folder, url)
    made.submit(immediate("Start"), name="one")
    yield made
    made.database.close()


@pytest.mark.timeout(600)
def test_answers_are_as_documented(bench: Bench, subtests: pytest.Subtests) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", bench.client.application)
    for result in schema.exclude(path=STREAM).exclude(tag="later").get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @hypothesis.settings(
            max_examples=hypothesis.settings().max_examples // 12,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        )
        @hypothesis.given(case=operation.as_strategy())
        def call(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(checks=CHECKS)

        with subtests.test(operation=operation.label):
            call()
