"""The hash chain is what RFC 8785 and SHA-256 say, computed quickly."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from hashlib import sha256
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from jobengine.model.chain import HashedRow, PassingDraft, canonical, number, row_hash
from jobengine.model.lifecycle import TransitionStatus, TriggerType
from jobengine.model.record import TransitionRecord

SAFE = 2**53 - 1
text = st.text(st.characters(exclude_categories=["Cs"]))
floats = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, -0.0, 1.0, 1e-7, 1e-6, 1e-5, 1e15, 1e16, 1e20, 1e21, 1e22, 123456789012345680000.0, 5e-324, 0.1]
)
scalars = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | floats | text
tricky = st.sampled_from(
    ["a:1.0,b", '"1e5"', ",1e5]", "[1.0]", "\ue000", "\U0001f600", "\u2028", "\x7f\x00\\/"]
)
documents = st.recursive(
    scalars | tricky,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text | tricky, inner, max_size=4),
    max_leaves=12,
)

ROW = TransitionRecord(
    "t",
    "j",
    3,
    TriggerType.TIME,
    "Start",
    {"type": "Time"},
    job_description={"pipeSpec": {"level": 1.0}},
    resolved={"values": {"Name": "a"}},
    info={"grüße": [1e21, None]},
    actor="somebody",
    created_time="2026-12-01T11:00:00.000000Z",
    event_name="horn",
    due_time="2026-12-01T11:00:01.000000Z",
    wake_time="2026-12-01T11:00:02.000000Z",
    status=TransitionStatus.PASSED,
    sequence=1,
    time_stamp="2026-12-01T11:00:03.000000Z",
    lateness_ms=0.25,
    current_proc_state="Running",
    stream_position={"pts": 0},
    superseded_by="s",
)
"""A row without two members that are the same: none can be taken for another."""


@given(documents)
def test_quick_canonical_json_has_the_very_bytes_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(floats)
def test_a_number_in_a_row_has_the_very_bytes_of_rfc_8785(value: float) -> None:
    assert msgspec.json.encode(number(value)) == rfc8785.dumps(value)


@given(documents)
def test_canonical_json_that_was_read_again_is_the_same(value: Any) -> None:
    assert canonical(msgspec.json.decode(canonical(value))) == canonical(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [(2**60, b"1152921504606846976"), (float("inf"), b"null"), ([float("nan"), 1.0], b"[null,1]")],
)
def test_what_rfc_8785_refuses_is_written_all_the_same(value: Any, written: bytes) -> None:
    assert canonical(value) == written


def test_a_hash_can_be_checked_with_other_tools() -> None:
    document = {_camel(f.name): getattr(ROW, f.name) for f in fields(ROW) if f.name != "hash"}
    document = json.loads(json.dumps({**document, "previousHash": "before"}))
    assert row_hash(ROW, "before") == sha256(rfc8785.dumps(document)).hexdigest()


def test_the_members_of_a_row_stand_in_the_order_of_rfc_8785() -> None:
    names = [field.encode_name for field in msgspec.structs.fields(HashedRow)]
    assert names == sorted(names)


@pytest.mark.parametrize("name", [f.name for f in fields(TransitionRecord) if "hash" not in f.name])
def test_every_column_counts(name: str) -> None:
    value = getattr(ROW, name)
    other: Any = (
        {"other": 1}
        if isinstance(value, dict)
        else "other"
        if value is None or isinstance(value, str)
        else 77
    )
    assert row_hash(replace(ROW, **{name: other}), "") != row_hash(ROW, "")


@given(floats.map(abs), documents, text)
def test_a_hash_that_was_begun_ahead_is_the_same(late: float, document: Any, said: str) -> None:
    trigger = {"type": "Time", "said": document}
    planned = replace(ROW, trigger=trigger, actor=said, lateness_ms=None, time_stamp=None)
    draft = PassingDraft(replace(planned, stream_position=None), "before")
    passed = replace(planned, lateness_ms=late, time_stamp="2026-12-01T11:00:00.000001Z")
    position = canonical(passed.stream_position)
    assert draft.hash(late, position, "2026-12-01T11:00:00.000001Z") == row_hash(passed, "before")


def test_the_row_before_counts() -> None:
    assert row_hash(ROW, "a") != row_hash(ROW, "b")


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)
