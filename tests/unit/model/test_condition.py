"""Stream conditions: seven forms, their combinations, and two ways to evaluate that agree."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from jobengine.model.condition import (
    StreamCondition,
    StreamReading,
    earliest,
    holds,
    milestone,
    uses,
    wake_after_ms,
)

READ: TypeAdapter[StreamCondition] = TypeAdapter(StreamCondition)
FIRST, LATER = "0190f3a4-7b5c-7d3e-8f00-000000000001", "0190f3a4-7b5c-7d3e-8f00-000000000002"


def reading(position: int = 0, elapsed_ms: float = 0.0, last_id: str | None = None) -> StreamReading:
    id_bytes = UUID(last_id).bytes if last_id else b""
    return StreamReading(position, Fraction(1000), position, position, elapsed_ms, id_bytes)


@pytest.mark.parametrize(
    ("condition", "before", "after"),
    [
        ({"frameCount": 5}, reading(4), reading(5)),
        ({"keyFrameCount": 5}, reading(4), reading(5)),
        ({"tsDeltaSec": {"maxDeltaSec": 1.5}}, reading(1500), reading(1501)),
        ({"realTimeDeltaMs": {"configuredDeltaMs": 100}}, reading(9, 100.0), reading(9, 100.001)),
        ({"realTimeDeltaMs": 100}, reading(9, 100.0), reading(9, 100.001)),
        ({"lastFrame": {"uuid": LATER}}, reading(9, 0, FIRST), reading(9, 0, LATER)),
        ({"lastFrame": {"uuid": LATER}}, reading(9), reading(9, 0, LATER)),
        ({"not": {"frameCount": 5}}, reading(5), reading(4)),
        ({"any": [{"frameCount": 5}, {"frameCount": 9}]}, reading(4), reading(5)),
        ({"all": [{"frameCount": 5}, {"frameCount": 9}]}, reading(8), reading(9)),
        ({"all": [{"frameCount": 5}, {"not": {"frameCount": 9}}]}, reading(9), reading(8)),
        ({"any": ["never", {"all": ["now", {"frameCount": 2}]}]}, reading(1), reading(2)),
    ],
)
def test_condition_turns_true(condition: Any, before: StreamReading, after: StreamReading) -> None:
    read = READ.validate_python(condition)
    assert (holds(read, before), holds(read, after)) == (False, True)


def test_now_and_never() -> None:
    assert holds("now", reading())
    assert not holds("never", reading(10**12))
    assert (earliest("now", reading(7)), earliest("never", reading(7))) == (7, None)


@pytest.mark.parametrize(
    "condition",
    [
        {"frameCount": 0},
        {"keyFrameCount": 0},
        {"frameCount": -1},
        {"frameCount": 1, "keyFrameCount": 1},
        {},
        {"any": []},
        {"all": []},
        {"tsDeltaSec": {"maxDeltaSec": -1}},
        {"lastFrame": {"uuid": "no"}},
        {"realTimeDeltaMs": True},
        "soon",
        3,
        None,
    ],
)
def test_what_can_mean_nothing_is_refused(condition: Any) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python(condition)


def test_uses_finds_a_condition_at_any_depth() -> None:
    deep = READ.validate_python({"not": {"any": ["now", {"lastFrame": {"uuid": FIRST}}]}})
    assert uses(deep, "last_frame")
    assert not uses(deep, "frame_count")


def test_real_time_says_when_to_look_again() -> None:
    both = READ.validate_python({"any": [{"realTimeDeltaMs": 500}, {"not": {"realTimeDeltaMs": 200}}]})
    assert wake_after_ms(both, reading(0, 150.0)) == 50
    assert wake_after_ms(both, reading(0, 300.0)) == 200
    assert wake_after_ms(both, reading(0, 600.0)) is None


simple = st.one_of(
    st.sampled_from(["now", "never"]),
    st.builds(lambda n: {"frameCount": n}, st.integers(1, 60)),
    st.builds(lambda n: {"keyFrameCount": n}, st.integers(1, 60)),
    st.builds(lambda n: {"tsDeltaSec": {"maxDeltaSec": n / 100}}, st.integers(0, 6)),
    st.builds(lambda n: {"realTimeDeltaMs": n}, st.integers(0, 3)),
)
conditions = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=8,
)


@given(conditions, st.integers(0, 70), st.sampled_from([0.0, 1.5, 9.0]))
def test_the_earliest_point_is_the_first_where_it_holds(
    document: Any, position: int, elapsed_ms: float
) -> None:
    condition = READ.validate_python(document)
    tried = (n for n in range(position, 200) if holds(condition, reading(n, elapsed_ms)))
    assert earliest(condition, reading(position, elapsed_ms)) == next(tried, None)


elements = st.lists(
    st.tuples(st.integers(0, 30), st.booleans(), st.sampled_from([FIRST, LATER])), min_size=1, max_size=60
)


@given(st.one_of(conditions, st.just({"not": {"lastFrame": {"uuid": LATER}}})), elements)
def test_no_condition_turns_before_its_milestone(document: Any, sent: list[tuple[int, bool, str]]) -> None:
    condition = READ.validate_python(document)
    now = StreamReading(0, Fraction(1000), 0, 0, 2.0)
    held, ahead = holds(condition, now), milestone(condition, now)
    for step, is_key, last_id in sent:
        now = now._replace(
            position=now.position + step,
            elements=now.elements + 1,
            key_elements=now.key_elements + is_key,
            last_id=UUID(last_id).bytes,
        )
        if ahead.is_reached(now):
            held, ahead = holds(condition, now), milestone(condition, now)
        assert holds(condition, now) == held
