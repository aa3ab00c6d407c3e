"""Two looks at a catalogue say what has happened to each content."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobengine.contents.catalogue import Content, Limits
from jobengine.contents.changes import Change, changes, look

STREAM = {"type": "Stream"}
OTHER = {"type": "Stream", "time_base": [1, 25]}
TWO = Content("a", 1, {"type": "format"}, (STREAM, STREAM), revision=1)


def between(before: Content | None, now: Content | None) -> list[Change]:
    """What is told when one content is changed so; a change that is stored has another revision."""
    seen = look([before] if before else [], {})
    stored = [replace(now, revision=now.revision + 1)] if now else []
    return changes(seen, look(stored, seen))


def closed(stream: int, is_closed: bool) -> Change:
    return Change("a", "closed", stream, is_closed)


def test_a_content_is_created_and_deleted() -> None:
    assert between(None, TWO) == [Change("a", "created")]
    assert between(TWO, None) == [Change("a", "deleted")]


def test_one_made_anew_under_its_name_is_both() -> None:
    assert between(TWO, replace(TWO, number=2)) == [Change("a", "deleted"), Change("a", "created")]


@pytest.mark.parametrize(
    "change",
    [
        {"format": {"type": "format", "title": "News"}},
        {"streams": (STREAM, OTHER)},
        {"streams": (STREAM, STREAM, STREAM)},
        {"streams": (None, STREAM)},
    ],
    ids=["format", "stream", "one more", "one less"],
)
def test_another_format_or_other_streams_are_a_change(change: dict[str, Any]) -> None:
    assert between(TWO, replace(TWO, **change)) == [Change("a", "changed")]


def test_other_limits_are_none() -> None:
    assert between(TWO, replace(TWO, limits=Limits(payload_bytes=7))) == []


def test_the_last_stream_that_is_closed_closes_the_content() -> None:
    one, both = replace(TWO, ended=frozenset({1})), replace(TWO, ended=frozenset({0, 1}))

    assert between(TWO, one) == [closed(1, False)]
    assert between(one, both) == [closed(0, True)]
    assert between(TWO, both) == [closed(0, False), closed(1, True)]


def test_a_stream_that_is_opened_again_is_a_change_and_can_be_closed_again() -> None:
    both = replace(TWO, ended=frozenset({0, 1}))

    assert between(both, TWO) == [Change("a", "changed")]
    assert between(TWO, both)[-1] == closed(1, True)


def test_one_that_was_made_and_closed_meanwhile_is_told_in_order() -> None:
    made = replace(TWO, streams=(STREAM,), ended=frozenset({0}))

    assert between(None, made) == [Change("a", "created"), closed(0, True)]


def test_a_removed_stream_is_not_closed_as_well() -> None:
    both = replace(TWO, ended=frozenset({0, 1}))

    assert between(both, replace(both, streams=(STREAM, None))) == [Change("a", "changed")]


def test_the_event_says_which_stream_and_whether_all_are_closed_now() -> None:
    assert closed(1, True).event == "content:a:closed"
    assert closed(1, True).data == {"content": "a", "stream": 1, "isClosed": True}
    assert Change("a/b:c", "created").event == "content:a/b:c:created"
    assert Change("a", "created").data == {"content": "a"}
