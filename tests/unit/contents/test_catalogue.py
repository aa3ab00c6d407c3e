"""Contents are changed beside others: whoever is slower looks again."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue, Content, Limits, new_content
from jobengine.errors import ConflictError
from jobengine.testing.contents.store import MemoryContents

FORMAT: Mapping[str, Any] = {"type": "format"}
STREAM: Mapping[str, Any] = {"type": "Stream"}
CHANGERS = 8


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(MemoryContents(SystemClock()), SystemClock())


def one_more(content: Content | None) -> Content:
    content = content or new_content("a", FORMAT, Limits(payload_bytes=7))
    return replace(content, streams=(*content.streams, STREAM))


def test_what_is_not_there_is_made_whole(catalogue: Catalogue) -> None:
    made = catalogue.change_until("a", one_more)

    assert made == catalogue.get("a")
    assert (made.streams, made.limits.payload_bytes, made.revision) == ((STREAM,), 7, 1)


def test_all_who_change_one_content_at_once_have_their_change(catalogue: Catalogue) -> None:
    with ThreadPoolExecutor(CHANGERS) as pool:
        made = list(pool.map(lambda _: catalogue.change_until("a", one_more), range(CHANGERS)))

    assert len(catalogue.get("a").streams) == CHANGERS
    assert sorted(len(content.streams) for content in made) == list(range(1, CHANGERS + 1))


def test_what_stays_the_same_is_not_written(catalogue: Catalogue) -> None:
    before = catalogue.change_until("a", one_more)

    assert catalogue.change_until("a", lambda content: content) == before
    assert catalogue.change_until("a", lambda _: None) is None
    assert catalogue.get("a").revision == before.revision


def test_a_content_deleted_meanwhile_is_asked_about_again(catalogue: Catalogue) -> None:
    catalogue.change_until("a", one_more)
    seen = []

    def change(content: Content | None) -> Content | None:
        seen.append(content)
        if content is None:
            return None
        catalogue.delete("a")
        return replace(content, ended=frozenset({0}))

    assert catalogue.change_until("a", change) is None
    assert [each is None for each in seen] == [False, True]


def test_one_that_others_always_outrun_is_told(catalogue: Catalogue) -> None:
    def change(content: Content | None) -> Content:
        if content is not None:
            catalogue.change(one_more(content), content.revision)
        return one_more(content)

    catalogue.change_until("a", one_more)

    with pytest.raises(ConflictError, match="changed by others 100 times"):
        catalogue.change_until("a", change)


def test_a_stream_is_known_by_its_place_and_its_number(catalogue: Catalogue) -> None:
    content = replace(catalogue.change_until("a", one_more), streams=(STREAM, None))
    number = content.stream_number(0)

    assert content.has(0, number)
    assert not content.has(0, number + 1)
    assert not content.has(1, number + 1)
    assert not content.has(2, number + 2)
