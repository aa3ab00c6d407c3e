"""What references find in one stream: the cases of the Content Beam API, over the store in memory."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.clock import SystemClock
from jobengine.contents.look_up import Found, LookUp, Page, Terms, TimedStream, is_range, pts_of
from jobengine.errors import NotFoundError
from jobengine.ids import new_element_id
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind
from jobengine.model.media_reference import ById, Relative, Stamps, parse_reference
from jobengine.ports.contents import PutElement
from jobengine.testing.contents.store import MemoryContents
from tests.begun import begun

SET10 = range(-40, 51, 10)
SET12 = range(0, 111, 10)
SET_T = range(-14400, 18001, 3600)
TICK_90K, TICK_25 = Fraction(1, 90000), Fraction(1, 25)
HALF = Terms(tolerance=None)
CLAMP = Terms(clamp=True)


def look_up(
    times: Iterable[int], keys: Iterable[int] = (), duration: int | None = None
) -> tuple[LookUp, MemoryContents]:
    store = begun(MemoryContents(SystemClock()), [1])
    put = [
        PutElement(1, Element(ElementKind.PACKET, pts, duration=duration, is_key=pts in keys))
        for pts in times
    ]
    if put:
        store.commit(put)
    return LookUp(store), store


def times_of(found: Found) -> list[int]:
    return [pts_of(stored) for stored in found.elements]


def found_in(
    times: Iterable[int], text: str, terms: Terms | None = None, page: Page | None = None, **how: object
) -> list[int]:
    tick = how.pop("tick", None)
    finder, _ = look_up(times, **how)  # type: ignore[arg-type]
    return times_of(finder.find(TimedStream(1, 0, tick), parse_reference(text), terms, page))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times", "text", "expected"),
    [
        ([42], "42", [42]),
        ([42], "41", []),
        (SET10, "-15-15", [-10, 0, 10]),
        (SET10, "-17f", [-20]),
        (SET10, "-15f", [-20]),
        (SET10, "-20f", [-20]),
        (SET10, "1000f", [50]),
        (SET10, "-1000f", [-40]),
        (SET10, "-17f-17", [-20, -10, 0, 10]),
        (SET10, "-17f-17f", [-20, -10, 0, 10]),
        (SET10, "2nd", [-30]),
        (SET10, "first", [-40]),
        (SET10, "last", [50]),
        (SET10, "11th", []),
        (SET10, "7th-last", [20, 30, 40, 50]),
        (SET10, "2nd-3", [-30, -20]),
        (SET12, "10th-last", [90, 100, 110]),
        (SET12, "13th-last", []),
        (SET12, "10th-99th", [90, 100, 110]),
        (SET12, "30-10", []),
        (SET12, "5th-3rd", []),
        (SET12, "5", []),
        (SET12, "packet_10", [10]),
        (SET12, "frame_10", []),
        (SET12, "start", [0]),
        (SET12, "end", [110]),
        (SET12, "latest", [110]),
        (SET12, "50+1d", [60]),
        (SET12, "50-1d", [40]),
        (SET12, "50-2d", [30]),
        (SET12, "50+0d", [50]),
        (SET12, "45+1d", [50]),
        (SET12, "45+0d", [40]),
        (SET12, "45-1d", [30]),
        (SET12, "47f+1d", [60]),
        (SET12, "47f-1d", [40]),
        (SET12, "-5+1d", [0]),
        (SET12, "-5-1d", []),
        (SET12, "110+1d", []),
        (SET12, "120+1d", []),
        (SET12, "0-1d", []),
        ([PTS_MIN, PTS_MAX], f"{PTS_MAX}+1d", []),
        ([PTS_MIN, PTS_MAX], f"{PTS_MIN}-1d", []),
        ([PTS_MIN, PTS_MAX], f"{PTS_MAX}-1d", [PTS_MIN]),
        ([PTS_MIN, PTS_MAX], "0f", [PTS_MAX]),
        ([2**53, 2**53 + 1], f"{2**53 + 1}", [2**53 + 1]),
        ([], "first", []),
        ([], "last", []),
        ([], "0f", []),
        ([], "0+1d", []),
        ([], "first-last", []),
    ],
)
def test_a_reference_finds(times: Iterable[int], text: str, expected: list[int]) -> None:
    assert found_in(times, text) == expected


@pytest.mark.parametrize(
    ("times", "tick", "text", "expected"),
    [
        (SET_T, TICK_90K, "0s", [0]),
        (SET_T, TICK_90K, "-0.04s", [-3600]),
        (SET_T, TICK_90K, "-1.0s-10s", list(SET_T)),
        (SET_T, TICK_90K, "0.0s-0.1s", [0, 3600, 7200]),
        (SET12, TICK_25, "0.4s", [10]),
        (SET12, TICK_25, "0.404s", [10]),
        (SET12, TICK_25, "0.405s", [10]),
        (SET12, TICK_25, "0.41s", []),
        (SET12, TICK_25, "1s-0s", []),
        (range(0, 3000, 25), TICK_25, "1m30s", [2250]),
        (range(0, 3000, 25), TICK_25, "00:01:30.000-1m31s", [2250, 2275]),
        (SET12, Fraction(10**9), "1s", []),
        (SET12, Fraction(1, 10**9), "99999999999h", []),
    ],
)
def test_real_time_finds(times: Iterable[int], tick: Fraction, text: str, expected: list[int]) -> None:
    assert found_in(times, text, tick=tick) == expected


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("0.41s", Terms(tolerance=Fraction(1, 100)), [10]),
        ("0.59s", HALF, [10]),
        ("0.6s", HALF, [10]),
        ("0.61s", HALF, [20]),
        ("4.7s", HALF, []),
        ("0.5s-0.9s", HALF, [10, 20]),
        ("0.6s-1s", HALF, [10, 20, 30]),
        ("0.404s-0.9s", Terms(tolerance=Fraction(0)), [20]),
        ("17f", Terms(max_distance=3), [20]),
        ("17f", Terms(max_distance=2), []),
        ("17f-30", Terms(max_distance=2), []),
        ("110+1d", CLAMP, [110]),
        ("0-7d", CLAMP, [0]),
        ("50+1d", CLAMP, [60]),
    ],
)
def test_terms_change_what_is_found(text: str, terms: Terms, expected: list[int]) -> None:
    assert found_in(SET12, text, terms, tick=TICK_25, duration=10) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("37", [30]),
        ("30", [30]),
        ("29", [0]),
        ("-1", []),
        ("37f", [30]),
        ("packet_70", [60]),
        ("last", [90]),
        ("2nd", [0]),
        ("70+1d", [60]),
        ("1.4s", [30]),
        ("35-50", [30, 40, 50]),
        ("50-35", []),
        ("-9-10", [0, 10]),
        ("5th-6th", [30, 40, 50]),
        ("1.4s-1.6s", [30, 40]),
        ("5th", [30]),
    ],
)
def test_to_a_key_element(text: str, expected: list[int]) -> None:
    assert found_in(SET12, text, Terms(to_key=True), tick=TICK_25, keys=(0, 30, 60, 90)) == expected


def test_by_id_and_the_key_element_at_or_before_it() -> None:
    finder, store = look_up(SET12, keys=(0, 60))
    stream = TimedStream(1, 0, None)
    seventh = store.nth(1, 7, 1)[0].element.element_id
    later = new_element_id()

    assert times_of(finder.find(stream, ById(seventh))) == [70]
    assert times_of(finder.find(stream, ById(seventh), Terms(to_key=True))) == [60]
    assert times_of(finder.find(stream, ById(later), Terms(to_key=True))) == [60]
    assert times_of(finder.find(stream, ById(later))) == []


@pytest.mark.parametrize(
    ("text", "page", "expected", "has_more"),
    [
        ("first-last", Page(0, 5), [0, 10, 20, 30, 40], True),
        ("first-last", Page(5, 5), [50, 60, 70, 80, 90], True),
        ("first-last", Page(10, 5), [100, 110], False),
        ("first-last", Page(99, 5), [], False),
        ("1st-11th", Page(0, 10), list(range(0, 100, 10)), True),
        ("1st-10th", Page(0, 10), list(range(0, 100, 10)), False),
        ("0-1000", Page(0, 12), list(SET12), False),
        ("0-1000", Page(0, 11), list(range(0, 110, 10)), True),
        ("0-1000", Page(11, 1), [110], False),
    ],
)
def test_pages_are_exact(text: str, page: Page, expected: list[int], has_more: bool) -> None:
    finder, _ = look_up(SET12)

    found = finder.find(TimedStream(1, 0, None), parse_reference(text), None, page)

    assert (times_of(found), found.has_more) == (expected, has_more)


def test_a_packet_and_a_frame_may_share_a_pts() -> None:
    store = begun(MemoryContents(SystemClock()), [1])
    store.commit([PutElement(1, Element(kind, 42)) for kind in (ElementKind.FRAME, ElementKind.PACKET)])
    finder = LookUp(store)

    found = finder.find(TimedStream(1, 0, None), Stamps(42)).elements

    assert [each.element.kind for each in found] == [ElementKind.PACKET, ElementKind.FRAME]
    for pts in (0, 42, 99):
        nearest = finder.find(TimedStream(1, 0, None), Stamps(pts, None, True)).elements
        assert [each.element.kind for each in nearest] == [ElementKind.PACKET]


def test_real_time_needs_a_time_base() -> None:
    with pytest.raises(NotFoundError, match="time_base"):
        found_in(SET12, "1s")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("0", [0]),
        ("0.039", [0]),
        ("0.396", [10]),
        ("0.79", [10]),
        ("1.2", [20]),
        ("1.204", [20]),
        ("1.21", []),
        ("-0.004", [0]),
        ("-0.006", []),
    ],
)
def test_what_is_on_show_began_before_and_has_not_ended(moment: str, expected: list[int]) -> None:
    finder, _ = look_up([0, 10, 20], duration=10)
    found = finder.on_show(TimedStream(1, 0, TICK_25), Fraction(moment))
    assert [pts_of(stored) for stored in found] == expected


def test_what_has_no_duration_is_on_show_until_the_next() -> None:
    finder, _ = look_up([0, 100])
    found = [finder.on_show(TimedStream(1, 0, TICK_25), Fraction(moment)) for moment in (3, 99)]
    assert [[pts_of(stored) for stored in each] for each in found] == [[0], [100]]


def test_only_ranges_have_pages() -> None:
    texts = ("0-1", "1st-last", "0s-1s", "0", "1st", "0s", "0+1d", "start", "packet_1")
    assert [is_range(parse_reference(text)) for text in texts] == [True] * 3 + [False] * 6


TIMES = st.sets(st.integers(-50, 50), min_size=1, max_size=20)


@given(TIMES, st.integers(-60, 60))
def test_nothing_is_nearer_than_the_nearest(times: set[int], pts: int) -> None:
    found = found_in(times, f"{pts}f")

    assert found == [min(sorted(times), key=lambda each: abs(each - pts))]


@given(TIMES, st.integers(-60, 60), st.integers(0, 9), st.booleans())
def test_distances_count_from_the_base(times: set[int], base: int, distance: int, is_backward: bool) -> None:
    ordered = sorted(times)
    at = sum(pts <= base for pts in ordered) - 1
    wanted = at + (-distance if is_backward else distance)

    found = found_in(times, str(Relative(base, distance, is_backward)))

    assert found == ([ordered[wanted]] if 0 <= wanted < len(ordered) else [])


def test_a_moment_stands_for_a_bounded_number_of_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobengine.contents.look_up.MOST_AT_ONCE", 3)

    assert found_in([0] * 9, "0") == [0] * 3
    assert found_in(SET10, "0s", tick=TICK_90K) == [-40, -30, -20]
