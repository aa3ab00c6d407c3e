"""The quick reader of JSON never reads anything but what the exact one reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobengine.model.json_text import parse_exactly
from jobengine.model.plain_json import UNSURE, read_plain

TEXT = st.text(st.sampled_from('ab:"\\/{},[] \t\n\x00\x1f\ud800é☃'), max_size=6)
NUMBERS = st.integers(-(2**65), 2**65) | st.sampled_from([2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1])
WORDS = ["NaN", "-0", "1e400", "1E2", "0.1", "01", "+1", "-", "nul", "Infinity", '"\\u003a"', '"\\ud800"']
LEAVES = st.one_of(
    st.none().map(json.dumps),
    st.booleans().map(json.dumps),
    NUMBERS.map(json.dumps),
    st.floats().map(json.dumps),
    TEXT.map(json.dumps),
    TEXT.map(lambda text: json.dumps(text, ensure_ascii=False)),
    TEXT.map(lambda text: f'"{text}"'),
    st.sampled_from(WORDS),
)
BLANKS = st.sampled_from(["", " ", "\t", "\r\n", "\x0b", "\ufeff"])


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """An object whose keys may be there several times."""
    members = draw(
        st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '"a:"', '"\\u0061"']), inner), max_size=4)
    )
    blanks = [draw(BLANKS) if draw(st.integers(0, 5)) == 0 else "" for _ in members]
    return (
        "{"
        + ",".join(f"{key}{blank}:{member}" for (key, member), blank in zip(members, blanks, strict=True))
        + "}"
    )


@st.composite
def lists(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    return "[" + ",".join(draw(st.lists(inner, max_size=4))) + "]"


TEXTS = st.recursive(LEAVES, lambda inner: objects(inner) | lists(inner), max_leaves=12)


@given(TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b'{"a":1,"a":2}')
@example(b'{"a":1,"a" :2}')
@example(b'{"a":":","a":"::"}')
@example(b'{"a":{"b":1,"b":2},"a":{"b:":1}}')
@example(b'"\xff"')
@example(b'"\xed\xa0\x80"')
@example(b"\xef\xbb\xbf{}")
@example(b'"a\tb"')
@example(b'"\x7f"')
@example(b"1 2")
@example(b"")
@example(b"[" * 100_000)
def test_what_is_read_quickly_is_what_is_read_exactly(data: bytes) -> None:
    quick = read_plain(data)

    if quick is not UNSURE:
        assert repr(quick) == repr(parse_exactly(data))


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1, "b" : 2}}',
        b"[1.5]",
        b"[NaN]",
        b'"\\u0000"',
        b"123456789012345678901",
        b'{"a":',
        b'"\xff"',
    ],
)
def test_what_may_be_refused_is_left_to_the_exact_reader(data: bytes) -> None:
    assert read_plain(data) is UNSURE


def test_a_usual_document_is_read_quickly() -> None:
    document = {"type": "Packet", "pts": -5, "flags": {"KEY": True}, "a": ["x", None, {}]}

    assert read_plain(json.dumps(document).encode()) == document
