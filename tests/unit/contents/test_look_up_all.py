"""What references find in all streams of a content: aligned by time, in one order."""

from __future__ import annotations

from fractions import Fraction

import pytest

from jobengine.clock import SystemClock
from jobengine.contents.look_up import Page, Terms, TimedStream, pts_of
from jobengine.contents.look_up_all import LookUpAll
from jobengine.errors import MalformedError, NotFoundError
from jobengine.model.element import Element, ElementKind
from jobengine.model.media_reference import ById, parse_reference
from jobengine.ports.contents import PutElement
from jobengine.testing.contents.store import MemoryContents
from tests.begun import begun

VIDEO = TimedStream(10, 0, Fraction(1, 25))
AUDIO = TimedStream(11, 1, Fraction(1, 50))
STREAMS = (VIDEO, AUDIO)


@pytest.fixture
def store() -> MemoryContents:
    """Video at 0, 40, 80, … ms, a key element each 200 ms; audio at 0, 60, 120, … ms; ten of each."""
    made = begun(MemoryContents(SystemClock()), (10, 11))
    made.commit([PutElement(10, Element(ElementKind.PACKET, n, is_key=n % 5 == 0)) for n in range(10)])
    made.commit([PutElement(11, Element(ElementKind.PACKET, 3 * n, is_key=True)) for n in range(10)])
    return made


def find(store: MemoryContents, text: str, terms: Terms | None = None, page: Page | None = None) -> list[str]:
    found = LookUpAll(store).find(STREAMS, parse_reference(text), terms or Terms(), page or Page())
    return [f"{'va'[stored.stream - 10]}{pts_of(stored)}" for stored in found.elements]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-3", ["v0", "a0", "v1", "a3", "v2", "v3", "a6"]),
        ("0", ["v0", "a0"]),
        ("3", ["v3", "a6"]),
        ("1", ["v1"]),
        ("0s", ["v0", "a0"]),
        ("0.06s", ["a3"]),
        ("0.04s-0.12s", ["v1", "a3", "v2", "v3", "a6"]),
        ("first", ["v0"]),
        ("last", ["a27"]),
        ("2nd", ["a0"]),
        ("2nd-4th", ["a0", "v1", "a3"]),
        ("19th-last", ["a24", "a27"]),
        ("99th", []),
        ("2f", ["a3", "v2"]),
        ("2f-3", ["v2", "v3", "a6"]),
        ("start", ["v0"]),
        ("latest", ["a27"]),
        ("3-1", []),
    ],
)
def test_all_streams_are_found_in_order_of_time(
    store: MemoryContents, text: str, expected: list[str]
) -> None:
    assert find(store, text) == expected


def test_a_range_begins_at_the_key_element_of_the_first_stream(store: MemoryContents) -> None:
    assert find(store, "6-7", Terms(to_key=True)) == ["v5", "v6", "a12", "v7"]
    assert find(store, "0.24s-0.28s", Terms(to_key=True)) == ["v5", "v6", "a12", "v7"]
    assert find(store, "6", Terms(to_key=True)) == ["v5", "a12"]
    assert find(store, "0.25s", Terms(to_key=True)) == ["v5", "a12"]


@pytest.mark.parametrize(
    ("text", "expected"), [("3rd", ["v0"]), ("last", ["a27"]), ("first", ["v0"]), ("99th", [])]
)
def test_a_rank_means_the_key_element_of_the_stream_that_has_it(
    store: MemoryContents, text: str, expected: list[str]
) -> None:
    assert find(store, text, Terms(to_key=True)) == expected


def test_pages_are_cut_from_the_common_order(store: MemoryContents) -> None:
    whole = find(store, "first-last", page=Page(0, 99))

    assert [find(store, "first-last", page=Page(at, 6)) for at in (0, 6, 12, 18)] == [
        whole[0:6],
        whole[6:12],
        whole[12:18],
        whole[18:],
    ]


def test_an_id_is_found_in_any_stream(store: MemoryContents) -> None:
    wanted = store.nth(11, 4, 1)[0]

    found = LookUpAll(store).find(STREAMS, ById(wanted.element.element_id), Terms(), Page())

    assert found.elements == [wanted]


@pytest.mark.parametrize("text", ["packet_0", "0+1d"])
def test_what_means_one_stream_is_refused(store: MemoryContents, text: str) -> None:
    with pytest.raises(MalformedError, match="name the stream"):
        find(store, text)


@pytest.mark.parametrize("text", ["2-3", "2nd-3rd", "3rd", "latest", "0.08s", "2f"])
def test_a_stream_without_time_base_is_left_out(store: MemoryContents, text: str) -> None:
    streams = (VIDEO, TimedStream(11, 1, None))

    found = LookUpAll(store).find(streams, parse_reference(text), Terms(), Page())

    assert found.elements
    assert {stored.stream for stored in found.elements} == {VIDEO.number}


def test_without_any_time_base_there_is_no_common_order(store: MemoryContents) -> None:
    streams = (TimedStream(10, 0, None), TimedStream(11, 1, None))

    with pytest.raises(NotFoundError, match="no stream has a time_base"):
        LookUpAll(store).find(streams, parse_reference("0-9"), Terms(), Page())


def test_a_content_without_streams_has_no_elements(store: MemoryContents) -> None:
    assert LookUpAll(store).find((), parse_reference("first"), Terms(), Page()).elements == []
