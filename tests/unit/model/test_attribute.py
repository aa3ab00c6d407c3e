"""Attributes of jobs: every type of value to its depth."""

from __future__ import annotations

from typing import Any

import pytest

from jobengine.errors import DocumentError
from jobengine.model.attribute import Attribute
from jobengine.model.document import read

POINT = {"x": 1, "y": 2.5}
BOX = {"xc": 1.0, "yc": 2, "width": 3.0, "height": 4.0, "angle": None}


def said(value: Any) -> dict[str, Any]:
    return {"namespace": "n", "name": "m", "values": [{"confidence": 0.5, "value": value}]}


@pytest.mark.parametrize(
    "value",
    [
        {"BBox": BOX},
        {"BBox": {**BOX, "angle": 3.0, "has_modifications": False}},
        {"BBoxVector": [BOX, BOX]},
        {"Boolean": False},
        {"BooleanVector": [True]},
        {"Bytes": [[2, 2], [0, 1, 2, 255]]},
        {"Float": 1},
        {"FloatVector": [1.0, 2]},
        {"Integer": -(2**63)},
        {"IntegerVector": []},
        {"Intersection": {"kind": "Cross", "edges": [[0, "a"], [1, None]]}},
        {"None": None},
        {"Point": POINT},
        {"PointVector": [POINT]},
        {"Polygon": {"vertices": [POINT], "tags": ["a", None]}},
        {"PolygonVector": [{"vertices": []}]},
        {"String": ""},
        {"StringVector": ["a", "b"]},
    ],
)
def test_what_savant_knows_is_taken_as_it_is(value: dict[str, Any]) -> None:
    assert read(Attribute, said(value)).values[0].value == value


@pytest.mark.parametrize(
    "value",
    [
        {"BBox": {}},
        {"BBox": {**BOX, "angle": "up"}},
        {"BBox": {**BOX, "colour": 1}},
        {"BBoxVector": BOX},
        {"Boolean": 1},
        {"BooleanVector": [0]},
        {"Bytes": [1, 2]},
        {"Bytes": [[1], [256]]},
        {"Float": True},
        {"FloatVector": ["a"]},
        {"Integer": 1.5},
        {"Integer": 2**63},
        {"IntegerVector": [1.5]},
        {"Intersection": {"kind": "Past", "edges": []}},
        {"Intersection": {"kind": "Enter", "edges": [[1]]}},
        {"None": 0},
        {"Point": {"x": 1}},
        {"Point": {"x": 1, "y": "2"}},
        {"PointVector": POINT},
        {"Polygon": {"tags": []}},
        {"PolygonVector": [POINT]},
        {"String": 1},
        {"StringVector": "ab"},
    ],
)
def test_what_a_reader_would_stumble_over_is_refused_with_what_would_be_right(value: dict[str, Any]) -> None:
    with pytest.raises(DocumentError) as caught:
        read(Attribute, said(value))
    [fault] = caught.value.faults
    assert fault.pointer == "/values/0/value"
    assert f"the value of {next(iter(value))} does not fit; it must be" in fault.detail


@pytest.mark.parametrize("value", [{"TemporaryValue": 1}, {}, {"Integer": 1, "Float": 1.0}, 5, None])
def test_a_value_has_one_type_that_is_known(value: Any) -> None:
    with pytest.raises(DocumentError):
        read(Attribute, said(value))
