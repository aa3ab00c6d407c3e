"""Which rule fits which request, and the job that it makes."""

from __future__ import annotations

from typing import Any

import pytest

from jobengine.errors import DocumentError
from jobengine.model.rule import Asked, NamedRule, read_rules

JPEG = {"pathPattern": r"^/beams/(?P<content>[^/]+)/(?P<stream>[^/]+)/(?P<reference>[^/]+)\.jpe?g$"}


def rule(**members: Any) -> NamedRule:
    return NamedRule("r", read_rules({"r": {**JPEG, "recipe": "jpeg", **members}})["r"])


def asked(
    path: str = "/beams/a/0/1.jpg", method: str = "GET", status: int | None = None, **query: str
) -> Asked:
    return Asked(method, path, query, {"accept": "image/jpeg"}, status)


def test_groups_of_the_path_are_decoded() -> None:
    groups = rule().fits(asked("/beams/a%20b%2Fc%3Fd/video/1.4s.jpeg"))

    assert groups == {"content": "a b/c?d", "stream": "video", "reference": "1.4s"}


@pytest.mark.parametrize(
    ("members", "request_", "fits"),
    [
        ({}, asked(), True),
        ({}, asked(method="HEAD"), True),
        ({}, asked(method="PUT"), False),
        ({"method": "PUT"}, asked(method="PUT"), True),
        ({"method": ["GET", "POST"]}, asked(method="POST"), True),
        ({"enabled": False}, asked(), False),
        ({}, asked("/beams/a/0/1.png"), False),
        ({}, asked(status=200), False),
        ({"postRoute": True}, asked(), False),
        ({"postRoute": True}, asked(status=200), True),
        ({"postRoute": True, "statusCode": 404}, asked(status=404), True),
        ({"postRoute": True, "statusCode": [404, 410]}, asked(status=200), False),
        ({"header": {"Accept": "^image/"}}, asked(), True),
        ({"header": {"Accept": "^text/"}}, asked(), False),
        ({"header": {"X-Missing": "."}}, asked(), False),
        ({"query": {"small": "^1$"}}, asked(small="1"), True),
        ({"query": {"small": "^1$"}}, asked(), False),
    ],
)
def test_everything_that_a_rule_says_must_fit(members: dict[str, Any], request_: Asked, fits: bool) -> None:
    assert (rule(**members).fits(request_) is not None) is fits


def test_the_job_tells_where_it_comes_from_and_takes_only_the_parameters_that_are_named() -> None:
    named = rule(queryParameters=["width"], parameters={"quality": 50}, timeoutMs=700)
    request_ = asked("/beams/a/video/1st.jpg", width="320", height="5")

    document = named.document(request_, named.fits(request_) or {})

    assert document["source"] == [{"content": "a", "stream": "video", "reference": "1st"}]
    assert document["parameters"] == {"quality": 50, "width": "320"}
    assert document["timeoutMs"] == 700
    assert document["request"]["rule"] == "r"
    assert document["request"]["query"] == {"width": "320", "height": "5"}


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"pathPattern": "(a"}, "/r/pathPattern"),
        ({"pathPattern": r"(a)\1"}, "/r/pathPattern"),
        ({"pathPattern": "a" * 1001}, "/r/pathPattern"),
        ({"pathPattern": "((a{100}){100}){100}"}, "/r/pathPattern"),
        ({"recipe": "gif"}, "/r/recipe"),
        ({"queryParameters": ["depth"]}, "/r/queryParameters/0"),
        ({"parameters": {"quality": 500}}, "/r/parameters/quality"),
        ({"method": "get"}, "/r/method/0"),
        ({"statusCode": 99}, "/r/statusCode/0"),
        ({"colour": 1}, "/r/colour"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(members: dict[str, Any], pointer: str) -> None:
    with pytest.raises(DocumentError) as refused:
        rule(**members)

    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_hostile_pattern_and_path_take_no_time() -> None:
    named = rule(pathPattern="^(([a-z])+.)+[A-Z]([a-z])+$")

    assert named.fits(asked("/" + "a" * 100_000)) is None


@pytest.mark.parametrize(
    ("members", "known"),
    [
        ({"queryParameters": ["width"], "query": {"x": "1"}}, ("width", "x")),
        ({}, ()),
        ({"anyQuery": True}, None),
        ({"respond": False}, None),
        ({"postRoute": True}, None),
    ],
)
def test_who_answers_judges_the_query(members: dict[str, Any], known: tuple[str, ...] | None) -> None:
    assert rule(**members).known_query == known
