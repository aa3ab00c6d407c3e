"""Incremental descriptions: RFC 7396 as it stands, and lists of named things merged by their key."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.model.kind import MERGE_KEYS
from jobengine.model.merge import fold, merge

RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
"""The table of the RFC's appendix A: original, patch, result."""

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
KEYS = {"in": ("name",), "m.x": ("from", "to"), "in.f": ("name",)}


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396)
def test_cases_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merge(target, patch) == result
    assert merge(target, patch, MERGE_KEYS) == result


@given(json, json)
def test_merging_modifies_neither_side(target: Any, patch: Any) -> None:
    before = deepcopy((target, patch))
    merge(target, patch, KEYS)
    assert (target, patch) == before


@given(json, json)
def test_merging_the_same_again_changes_nothing(target: Any, patch: Any) -> None:
    once = merge(target, patch)
    assert merge(once, patch) == once


def test_named_items_merge_where_they_are_and_new_ones_follow() -> None:
    target = {"in": [{"name": "a", "v": 1, "w": {"x": 1}}, {"name": "b", "v": 2}]}
    patch = {"in": [{"name": "c"}, {"name": "a", "v": 3, "w": {"x": None, "y": 2}}]}
    assert merge(target, patch, KEYS) == {
        "in": [{"name": "a", "v": 3, "w": {"y": 2}}, {"name": "b", "v": 2}, {"name": "c"}]
    }


def test_several_members_may_name_an_item() -> None:
    target = {"m": {"x": [{"from": 0, "to": 0, "g": 1}, {"from": 0, "to": 1, "g": 1}]}}
    patch = {"m": {"x": [{"from": 0, "to": 1, "g": 0}]}}
    assert merge(target, patch, KEYS)["m"]["x"] == [
        {"from": 0, "to": 0, "g": 1},
        {"from": 0, "to": 1, "g": 0},
    ]


def test_named_lists_within_named_lists() -> None:
    target = {"in": [{"name": "a", "f": [{"name": "r", "p": 1}]}]}
    patch = {"in": [{"name": "a", "f": [{"name": "r", "q": 2}]}]}
    assert merge(target, patch, KEYS) == {"in": [{"name": "a", "f": [{"name": "r", "p": 1, "q": 2}]}]}


def test_nulls_in_a_first_description_are_gone() -> None:
    assert merge({}, {"in": [{"name": "a", "v": None}], "b": None}, KEYS) == {"in": [{"name": "a"}]}


def test_null_removes_a_whole_named_list() -> None:
    assert merge({"in": [{"name": "a"}]}, {"in": None}, KEYS) == {}


def test_other_lists_replace() -> None:
    assert merge({"l": [1, 2]}, {"l": [3]}, KEYS) == {"l": [3]}


def test_fold_is_the_effective_description() -> None:
    steps = [
        {"in": [{"name": "a", "v": 1}]},
        None,
        {},
        {"in": [{"name": "a", "v": 2}]},
        {"x": 1},
        {"x": None},
    ]
    assert fold(steps, KEYS) == {"in": [{"name": "a", "v": 2}]}
    assert fold([], KEYS) == {}


def test_levels_of_a_pipe_merge_by_graph() -> None:
    first = {
        "pipeSpec": {"mixer": {"outputLevel": [{"graph": "A", "level": 1.0}, {"graph": "B", "level": 1.0}]}}
    }
    later = {"pipeSpec": {"mixer": {"outputLevel": [{"graph": "B", "level": 0.5, "rampMs": 20}]}}}
    levels = fold([first, later], MERGE_KEYS)["pipeSpec"]["mixer"]["outputLevel"]
    assert levels == [{"graph": "A", "level": 1.0}, {"graph": "B", "level": 0.5, "rampMs": 20}]
