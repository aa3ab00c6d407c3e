"""What clients read: lists, pages, the filter language over SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobengine.errors import MalformedError, NotFoundError
from jobengine.history.database import Database
from jobengine.history.reader import JobReader
from jobengine.history.store import SqlJobStore
from jobengine.model.lifecycle import JobState
from jobengine.model.query import And, Comparison, Field, Node, Not, Or, Value, matches, parse_filter
from jobengine.model.record import EventRecord, JobRecord
from tests.contract.history.records import NOON, a_job, a_job_with_history, a_transition, moment

WORDS = ["news", "News", "ÄRGER", "ärger", "a_b%c\\", "5", "true", "", "nöon*", "😀"]
DATA: list[Any] = [
    None,
    {},
    {"desk": None},
    *[{"desk": word, "deep": {"a.b": 1}} for word in WORDS],
    *[{"desk": value} for value in (True, False, 0, 5, 5.0, 0.1, -1e300, 2**53, 0.30000000000000004)],
    {"desk": {"x": 1}},
    {"desk": ["news"]},
]
JOBS = [
    a_job(
        job_id=f"job-{n:03}",
        name=WORDS[n % len(WORDS)],
        kind=("pipe", None, "exec")[n % 3],
        client_data=data,
        current_state=(JobState.RUNNING, JobState.ERROR)[n % 2],
        created_time=moment(n // 2),
        revision=n,
    )
    for n, data in enumerate(DATA)
]


def keep(store: SqlJobStore, jobs: list[JobRecord]) -> None:
    with store.batch() as batch:
        for job in jobs:
            batch.insert_job(job)


def as_mapping(job: JobRecord) -> dict[str, Any]:
    return {
        "name": job.name,
        "kind": job.kind,
        "clientData": job.client_data,
        "isActive": job.is_active,
        "createdTime": job.created_time,
        "revision": job.revision,
    }


fields = st.sampled_from(
    [
        Field(("name",)),
        Field(("KIND",)),
        Field(("isActive",)),
        Field(("revision",)),
        Field(("clientData", "desk")),
        Field(("clientdata", "desk", "x")),
        Field(("clientData", "deep", "a.b")),
        Field(("clientData", 'no"ne')),
    ]
)
values = st.one_of(
    st.sampled_from(WORDS).map(lambda word: Value(word, word)),
    st.sampled_from(["n", "*", "e*s", "_", "%", "Ä*R", "pipe"]).map(lambda word: Value(word, word)),
    st.sampled_from([0, 1, 5, 5.0, 0.1, -1e300, 2**53, 0.3, 3]).map(lambda n: Value(n, repr(n))),
    st.sampled_from([Value(True, "true"), Value(False, "false"), Value(None, "null")]),
)
comparisons = st.builds(Comparison, fields, st.sampled_from(["==", "!=", ">", ">=", "<", "<=", "~"]), values)
nodes = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=4,
)


@given(nodes)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_filter_means_the_same_in_sql_and_in_python(full: JobReader, node: Node) -> None:
    expected = [job.job_id for job in JOBS if matches(node, as_mapping(job))]
    assert [job.job_id for job in full.list_jobs(node, sort="jobId").jobs] == expected
    assert full.count_jobs(node) == len(expected)


@pytest.fixture
def full(database: Database) -> JobReader:
    """A reader of a database with `JOBS`."""
    keep(SqlJobStore(database), JOBS)
    return JobReader(database)


@pytest.mark.parametrize(
    "sort",
    [None, "createdTime", "-createdTime,name", "clientData.desk", "-clientData.desk,name", "kind,-revision"],
)
def test_pages_hold_every_job_once_and_in_order(full: JobReader, sort: str | None) -> None:
    whole = [job.job_id for job in full.list_jobs(sort=sort).jobs]
    assert sorted(whole) == [job.job_id for job in JOBS]
    paged: list[str] = []
    cursor: str | None = None
    for _ in range(len(JOBS)):
        page = full.list_jobs(sort=sort, limit=4, cursor=cursor)
        paged += [job.job_id for job in page.jobs]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == whole
    assert [job.job_id for job in full.list_jobs(sort=sort, limit=3, skip=2).jobs] == whole[2:5]


def test_the_newest_job_comes_first_by_default(full: JobReader) -> None:
    times = [job.created_time for job in full.list_jobs().jobs]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("cursor", ["", "!", "W10", "WyJuYW1lIiwxXQ", "eyJhIjoxfQ", "é"])
def test_a_cursor_that_no_list_gave_is_refused(full: JobReader, cursor: str) -> None:
    with pytest.raises(MalformedError):
        full.list_jobs(sort="-createdTime", cursor=cursor)


def test_a_cursor_of_another_sort_is_refused(full: JobReader) -> None:
    cursor = full.list_jobs(limit=1).next_cursor
    with pytest.raises(MalformedError):
        full.list_jobs(sort="name", cursor=cursor)


@pytest.mark.parametrize("text", ["nosuch == 1", "deletedTime == null", "name.x == 1", "epoch > 0"])
def test_a_field_that_jobs_do_not_have_is_named_with_its_column(full: JobReader, text: str) -> None:
    with pytest.raises(MalformedError, match=r"column 12: .* is not a field"):
        full.list_jobs(parse_filter(f"name==1 OR {text}"))


def test_a_filter_is_never_read_as_sql(full: JobReader) -> None:
    nasty = parse_filter("""clientData."x') OR 1=1 --" == "'; DROP TABLE jobs; --" """)
    assert full.count_jobs(nasty) == 0
    assert full.count_jobs() == len(JOBS)


def test_what_was_deleted_is_not_there(store: SqlJobStore, reader: JobReader) -> None:
    job, rows = a_job_with_history(store)
    with store.batch() as batch:
        batch.update_job(replace(job, revision=2, deleted_time=NOON), 1, 0)
    assert reader.list_jobs().jobs == []
    for read in (reader.get_job, reader.transitions, reader.history, reader.outputs):
        with pytest.raises(NotFoundError):
            read(job.job_id)
    with pytest.raises(NotFoundError):
        reader.transition(job.job_id, rows[0].transition_id)


def test_a_job_is_read_with_its_rows(store: SqlJobStore, reader: JobReader) -> None:
    job, rows = a_job_with_history(store, 2)
    pending = a_transition(job, position=3)
    with store.batch() as batch:
        batch.insert_transition(pending)
    assert reader.get_job(job.job_id) == job
    assert reader.transitions(job.job_id) == [*rows, pending]
    assert reader.history(job.job_id) == rows
    assert reader.transition(job.job_id, pending.transition_id) == pending


def test_the_feed_is_filtered_and_says_how_far_it_looked(store: SqlJobStore, reader: JobReader) -> None:
    with store.batch() as batch:
        for number in range(4):
            batch.append_event(EventRecord(NOON, "job.state", f"job-{number}", {"state": "Running"}))
    page = reader.events_after(0, 3, parse_filter("data.state==Running AND jobId==job-1"))
    assert [event.sequence for event in page.events] == [2]
    assert page.scanned == 3
    assert reader.events_after(4).scanned == 4
