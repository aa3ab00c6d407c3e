"""An http process rehearses what the first client will ask, and keeps nothing of it."""

from __future__ import annotations

from structlog.testing import capture_logs

from jobengine.rest.rehearsal import rehearse
from tests.unit.rest.bench import Bench


def test_a_rehearsal_stores_nothing_needs_no_engine_and_finds_nothing_wrong(bench: Bench) -> None:
    bench.engine.is_away = True
    with capture_logs() as lines:
        rehearse(bench.client.application, bench.services)
    assert lines == []
    assert bench.client.get("/api/jobs").get_json() == []


def test_a_process_whose_database_is_away_says_that_it_has_not_rehearsed(bench: Bench) -> None:
    bench.database.close()
    file = bench.database.file
    assert file is not None
    file.rename(file.with_name("away"))
    file.mkdir()
    with capture_logs() as lines:
        rehearse(bench.client.application, bench.services)
    assert [line["event"] for line in lines] == ["http.not_rehearsed"]
