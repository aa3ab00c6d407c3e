"""The grammar of media references: what is read, what is refused and where."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.errors import MalformedError
from jobengine.model.element import PTS_MAX, PTS_MIN, ElementKind
from jobengine.model.media_reference import (
    LAST,
    MAX_LENGTH,
    Anchor,
    ById,
    Direct,
    MediaReference,
    Places,
    Relative,
    Stamps,
    Times,
    parse_reference,
)

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
READ: dict[str, MediaReference] = {
    "0": Stamps(0),
    "-0": Stamps(0),
    "0-1": Stamps(0, 1),
    "-42": Stamps(-42),
    "-42--39": Stamps(-42, -39),
    "-15-15": Stamps(-15, 15),
    "42f": Stamps(42, None, True),
    "-42f": Stamps(-42, None, True),
    "42f-53": Stamps(42, 53, True),
    "42f-53f": Stamps(42, 53, True),
    "000003-9876543210": Stamps(3, 9876543210),
    str(PTS_MIN): Stamps(PTS_MIN),
    str(PTS_MAX): Stamps(PTS_MAX),
    "first": Places(0),
    "1st": Places(0),
    "2nd": Places(1),
    "2st": Places(1),
    "last": Places(LAST),
    "first-last": Places(0, LAST),
    "100th-last": Places(99, LAST),
    "751st-760th": Places(750, 759),
    "1st-3": Places(0, 2),
    "1st-03rd": Places(0, 2),
    "123456789th-9876543210st": Places(123456788, 9876543209),
    "0s": Times(Fraction(0)),
    "1.0s": Times(Fraction(1)),
    "1.s": Times(Fraction(1)),
    "0s-1s": Times(Fraction(0), Fraction(1)),
    "0s-1": Times(Fraction(0), Fraction(1)),
    "0.0s-0.1": Times(Fraction(0), Fraction(1, 10)),
    "-42.42s": Times(Fraction("-42.42")),
    "-42.42s--24.24": Times(Fraction("-42.42"), Fraction("-24.24")),
    "1m": Times(Fraction(60)),
    "1m30s": Times(Fraction(90)),
    "90m": Times(Fraction(5400)),
    "1h": Times(Fraction(3600)),
    "1h30m": Times(Fraction(5400)),
    "1h20s": Times(Fraction(3620)),
    "1h2m3.5s": Times(Fraction("3723.5")),
    "-1m0.04s": Times(Fraction("-60.04")),
    "30s-1m30s": Times(Fraction(30), Fraction(90)),
    "1m-90": Times(Fraction(60), Fraction(90)),
    "00:01:02.250": Times(Fraction("62.25")),
    "-00:00:01-00:00:05": Times(Fraction(-1), Fraction(5)),
    "100:00:00": Times(Fraction(360000)),
    "0+1d": Relative(0, 1),
    "42+0d": Relative(42, 0),
    "42-13d": Relative(42, 13, is_backward=True),
    "-42+13d": Relative(-42, 13),
    "42f-13d": Relative(42, 13, is_backward=True, is_fuzzy=True),
    "42f+13d": Relative(42, 13, is_fuzzy=True),
    "packet_108000": Direct(ElementKind.PACKET, 108000),
    "frame_-40": Direct(ElementKind.FRAME, -40),
    "packet_010": Direct(ElementKind.PACKET, 10),
    f"id_{ID}": ById(UUID(ID).bytes),
    f"id_{ID.upper()}": ById(UUID(ID).bytes),
    "start": Anchor("start"),
    "end": Anchor("end"),
    "latest": Anchor("latest"),
}
REFUSED = {
    "wibble": 1,
    "": 1,
    ".json": 1,
    "0th": 1,
    "01st": 1,
    "-1st": 4,
    "1land": 2,
    "1firth": 3,
    "1st-0th": 5,
    "1st-0": 5,
    "1st-5land": 6,
    "last-3rd": 5,
    "last-last": 5,
    "1st-first": 5,
    "42-43s": 6,
    "42-53f": 6,
    ".5s": 1,
    "1.5": 4,
    "1.5-2s": 4,
    "1.5s-": 6,
    "1s-2s-3s": 6,
    "1-2-3": 4,
    "1-": 3,
    "+5": 1,
    "1e3": 2,
    " 7": 1,
    "7 ": 2,
    "1_000": 2,
    "\u0663": 1,
    "42d": 3,
    "42+d": 4,
    "42+1": 5,
    "42-d": 4,
    "first+1d": 6,
    "1.4s+1d": 5,
    "First": 1,
    "LAST": 1,
    "1h90s": 3,
    "1m60s": 3,
    "1h1.5m": 7,
    "1:2:3": 3,
    "00:60:00": 4,
    "00:00": 6,
    "00:00:00.": 10,
    "packet_x": 8,
    "packet_": 8,
    "10.raw": 4,
    "id_123": 4,
    "start-end": 1,
    "9223372036854775808": 1,
    "0--9223372036854775809": 3,
    "packet_99999999999999999999999": 8,
    "0+9223372036854775808d": 3,
    "1st-9223372036854775808": 5,
}


@pytest.mark.parametrize(("text", "meaning"), READ.items())
@pytest.mark.parametrize("suffix", ["", ".json"])
def test_a_reference_is_read(text: str, meaning: MediaReference, suffix: str) -> None:
    assert parse_reference(text + suffix) == meaning


@pytest.mark.parametrize(("text", "column"), REFUSED.items())
def test_what_is_no_reference_is_refused_with_the_place(text: str, column: int) -> None:
    with pytest.raises(MalformedError) as refused:
        parse_reference(text)

    assert refused.value.facts == {"column": column}
    assert f"column {column}" in refused.value.detail


def test_a_reference_has_a_bounded_length() -> None:
    with pytest.raises(MalformedError, match=str(MAX_LENGTH)):
        parse_reference("0" * (MAX_LENGTH + 1))


PTS = st.integers(PTS_MIN, PTS_MAX)
RANKS = st.integers(0, PTS_MAX - 1)
DECIMALS = st.decimals(-(10**9), 10**9, places=6).map(Fraction)
REFERENCES: Any = st.one_of(
    st.builds(Direct, st.sampled_from(ElementKind), PTS),
    st.builds(ById, st.binary(min_size=16, max_size=16)),
    st.builds(Stamps, PTS, st.none() | PTS, st.booleans()),
    st.builds(Places, RANKS, st.none() | RANKS | st.just(LAST)),
    st.builds(Times, DECIMALS, st.none() | DECIMALS),
    st.builds(Relative, PTS, st.integers(0, PTS_MAX), st.booleans(), st.booleans()),
)


@given(REFERENCES)
def test_the_text_of_a_reference_means_the_same(reference: MediaReference) -> None:
    assert parse_reference(str(reference)) == reference


@given(st.text("0123456789-+.:fsdhmtrn_ packetlirtj\u0663", max_size=20))
def test_any_text_is_read_or_refused_with_a_place_in_it(text: str) -> None:
    column = 1
    try:
        parse_reference(text)
    except MalformedError as refused:
        column = refused.facts["column"]

    assert 1 <= column <= len(text) + 1
