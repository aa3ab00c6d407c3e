"""The filter language says what it means, and where it is wrong."""

from __future__ import annotations

import re

import pytest

from jobengine.errors import MalformedError
from jobengine.model.query import matches, parse_filter, parse_sort

JOB = {
    "name": "Noon News",
    "isActive": True,
    "createdTime": "2026-12-01T11:00:00.000000Z",
    "kind": None,
    "revision": 7,
    "clientData": {
        "desk": "news",
        "priority": 5,
        "code": "5",
        "level": 0.5,
        "a": {"b.c": "deep"},
        "flag": False,
    },
}


@pytest.mark.parametrize(
    "text",
    [
        'IsActive==true OR ClientData.desk=="sport" AND NOT (name ~ "noon")',
        "clientdata.desk == news",
        "CLIENTDATA.desk=='news'",
        "clientData.priority > 4 and clientData.priority <= 5.0",
        "clientData.code == 5",
        'not clientData.priority == "5"',
        "not clientData.code > 4",
        "name ~ NOON",
        "name ~ n*w",
        "not name ~ w*noon",
        'clientData.a."b.c" != shallow',
        "clientData.missing == null AND kind==null",
        "clientData.missing != 1",
        "not clientData.desk.news == 1",
        "createdTime > 2026-12-01",
        "createdTime >= 2026-12-01T12:00:00+01:00 and createdTime<=2026-12-01T11:00:00",
        "clientData.flag == false and clientData.flag != 0",
        "notes == null and ordinal==null and android == null",
    ],
)
def test_a_filter_that_is_true(text: str) -> None:
    assert matches(parse_filter(text), JOB)


@pytest.mark.parametrize(
    "text",
    [
        "isActive == 1",
        "name == noon",
        "clientData.level > a",
        "kind ~ x",
        "revision ~ 7",
        "clientData.desk > 1",
    ],
)
def test_a_filter_that_is_false(text: str) -> None:
    assert not matches(parse_filter(text), JOB)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("a==1 and", 9, "a field"),
        ("a==1 AND b", 11, "an operator (== != >= > <= < ~)"),
        ("createdTime > soon", 15, "ISO 8601"),
        ('a=="b', 4, "a value"),
        ("(a==1", 6, "')'"),
        ("", 1, "a field"),
        ("a==1 b==2", 6, "AND"),
        ("a==1e999", 4, "too large"),
        ("a==1 OR ; DROP TABLE jobs", 9, "a field"),
    ],
)
def test_a_fault_is_named_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(MalformedError, match=re.escape(words)) as refused:
        parse_filter(text)
    assert refused.value.facts["column"] == column
    assert f"column {column}" in refused.value.detail


@pytest.mark.parametrize(
    "text", ["NOT " * 900 + "a==1", "a==1 OR " * 600 + "a==1", "NOT (" * 60 + "a==1" + ")" * 60]
)
def test_a_filter_that_would_cost_too_much_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_filter(text)


def test_many_stars_cost_no_more_than_few() -> None:
    assert not matches(parse_filter("name ~ " + "a*" * 500 + "b"), {"name": "a" * 20_000})


def test_a_sort_names_fields_and_directions() -> None:
    keys = parse_sort('-createdTime,clientData."a.b".c')
    assert [(key.field.path, key.descending) for key in keys] == [
        (("createdTime",), True),
        (("clientData", "a.b", "c"), False),
    ]


@pytest.mark.parametrize("text", ["", "name,", "-", "name;drop", "1st"])
def test_a_sort_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_sort(text)


def test_a_filter_reads_the_event_feed() -> None:
    found = {"sequence": 3, "type": "job.state", "jobId": "j", "data": {"state": "Running"}}
    assert matches(parse_filter("type==job.state AND data.state==Running AND sequence>2"), found)
