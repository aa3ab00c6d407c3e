"""Placeholders: every token, every fault, values of any JSON type, the original untouched."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from jobengine.model.placeholder import fill_in, fill_start_time, find_faults

MORNING = datetime(2026, 3, 4, 5, 6, 7, 89_012, UTC)
EVENING = datetime(2026, 3, 4, 17, 6, 7, 0, UTC)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy", "2026"), ("YYYY", "2026"), ("yy", "26"), ("MM", "03"), ("M", "3"), ("dddd", "Wednesday"),
        ("ddd", "Wed"), ("dd", "04"), ("d", "4"), ("HH", "05"), ("H", "5"), ("hh", "05"), ("h", "5"),
        ("mm", "06"), ("m", "6"), ("ss", "07"), ("s", "7"), ("fff", "089"), ("ff", "08"), ("f", "0"),
        ("a", "AM"), ("yyyy-MM-dd_HH.mm.ss,fff", "2026-03-04_05.06.07,089"),
    ],
)  # fmt: skip
def test_tokens(pattern: str, text: str) -> None:
    assert find_faults(f"${{StartTime|{pattern}}}", {}) == []
    assert fill_start_time(f"<${{StartTime|{pattern}}}>", MORNING) == f"<{text}>"


def test_twelve_hour_clock() -> None:
    assert fill_start_time("${StartTime|hh:mm a}", EVENING) == "05:06 PM"
    assert fill_start_time("${StartTime|h}", datetime(2026, 1, 1, tzinfo=UTC)) == "12"


def test_without_a_format_and_as_a_timestamp() -> None:
    assert fill_start_time("${starttime}", MORNING) == "2026-03-04 05:06:07"
    assert fill_start_time("a %TIMESTAMP%.wav", MORNING) == "a 2026-03-04_05-06-07.089.wav"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${Nobody}", "unknown placeholder"),
        ("${StartTime|}", "empty time format"),
        ("${StartTime|yyyyQ}", "'Q' in it"),
        ("${ProcessingHost|x}", "takes no format"),
        ("${Var:}", "variable name ''"),
        ("${Var:a b}", "variable name 'a b'"),
        ("${Var:unknown}", "not defined"),
        ("${Var:Title", "without its closing brace"),
        ("${${Var:Title}}", "without its closing brace"),
        ("on ${Var:List}", "only texts and numbers"),
        ("${Var:Flag}${Var:Title}", "only texts and numbers"),
    ],
)
def test_faults_have_a_place_and_a_sentence(text: str, words: str) -> None:
    [fault] = find_faults({"a": [{"b": text}]}, {"Title": "x", "List": [1], "Flag": True}, "/top")
    assert fault.pointer == "/top/a/0/b"
    assert words in fault.detail


@pytest.mark.parametrize("value", [5, 1.5, True, False, 0, "", "text", [1, {"a": None}], {"k": "v"}])
def test_variable_alone_becomes_its_value_of_any_type(value: Any) -> None:
    filled, used = fill_in({"level": "${Var:X}"}, "host", {"X": value})
    assert (filled, used) == ({"level": value}, {"Var:X": value})


def test_inside_other_text_values_become_text() -> None:
    document = {"title": "${Var:Show} no ${VAR:Number} on ${processinghost}", "n": 3}
    original = deepcopy(document)
    filled, used = fill_in(document, "studio-1", {"Show": "Noon", "Number": 7})
    assert filled == {"title": "Noon no 7 on studio-1", "n": 3}
    assert used == {"Var:Show": "Noon", "Var:Number": 7, "ProcessingHost": "studio-1"}
    assert document == original


def test_start_time_is_left_for_the_worker() -> None:
    text = "${StartTime|HH} ${Var:X}"
    assert fill_in(text, "h", {"X": "y"})[0] == "${StartTime|HH} y"


def test_values_are_not_read_for_placeholders_again() -> None:
    assert fill_in("${Var:X}", "h", {"X": "${ProcessingHost}"})[0] == "${ProcessingHost}"


def test_text_without_placeholders_is_untouched() -> None:
    assert fill_in({"a": "$5 {x}", "b": None}, "h", {}) == ({"a": "$5 {x}", "b": None}, {})
    assert find_faults({"a": "$5 {x}", "b": 1}, {}) == []
