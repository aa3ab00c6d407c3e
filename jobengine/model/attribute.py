"""Attributes that a job adds to elements, as documents: Savant's names and types of values.

A value is an object with one member, named by its type. What stands below is checked to its depth, so that
what a reader would stumble over is refused before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator

from jobengine.model.casing import CamelModel

Json = Any
_KINDS_OF_INTERSECTION = frozenset({"Enter", "Inside", "Leave", "Cross", "Outside"})
_BOX = ("xc", "yc", "width", "height")
_PAIR = 2


def _is_text(said: Json) -> bool:
    return isinstance(said, str)


def _is_integer(said: Json) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and -(2**63) <= said < 2**63


def _is_number(said: Json) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool)


def _is_boolean(said: Json) -> bool:
    return isinstance(said, bool)


def _is_nothing(said: Json) -> bool:
    return said is None


def _is_label(said: Json) -> bool:
    return said is None or isinstance(said, str)


def _is_list_of(is_one: Callable[[Json], bool]) -> Callable[[Json], bool]:
    return lambda said: isinstance(said, list) and all(map(is_one, said))


def _is_byte(said: Json) -> bool:
    return _is_integer(said) and 0 <= said <= 255


def _is_bytes(said: Json) -> bool:
    """Dimensions and bytes."""
    if not isinstance(said, list) or len(said) != _PAIR:
        return False
    return _is_list_of(_is_integer)(said[0]) and _is_list_of(_is_byte)(said[1])


def _is_point(said: Json) -> bool:
    return isinstance(said, dict) and said.keys() == {"x", "y"} and all(map(_is_number, said.values()))


def _is_box(said: Json) -> bool:
    """With an angle in degrees or none; readers of some versions say whether it was changed."""
    if not isinstance(said, dict) or not set(said) <= {*_BOX, "angle", "has_modifications"}:
        return False
    is_turned = said.get("angle") is None or _is_number(said["angle"])
    return is_turned and all(_is_number(said.get(name)) for name in _BOX)


def _is_polygon(said: Json) -> bool:
    if not isinstance(said, dict) or not set(said) <= {"vertices", "tags"}:
        return False
    has_tags = said.get("tags") is None or _is_list_of(_is_label)(said["tags"])
    return has_tags and _is_list_of(_is_point)(said.get("vertices"))


def _is_edge(said: Json) -> bool:
    return isinstance(said, list) and len(said) == _PAIR and _is_integer(said[0]) and _is_label(said[1])


def _is_intersection(said: Json) -> bool:
    if not isinstance(said, dict) or said.keys() != {"kind", "edges"}:
        return False
    return said["kind"] in _KINDS_OF_INTERSECTION and _is_list_of(_is_edge)(said["edges"])


_TYPES: Mapping[str, tuple[Callable[[Json], bool], str]] = {
    "BBox": (_is_box, "an object with the numbers xc, yc, width, height, and an angle or null"),
    "BBoxVector": (_is_list_of(_is_box), "a list of boxes"),
    "Boolean": (_is_boolean, "true or false"),
    "BooleanVector": (_is_list_of(_is_boolean), "a list of true and false"),
    "Bytes": (_is_bytes, "a list of dimensions and a list of bytes"),
    "Float": (_is_number, "a number"),
    "FloatVector": (_is_list_of(_is_number), "a list of numbers"),
    "Integer": (_is_integer, "an integer of 64 bits"),
    "IntegerVector": (_is_list_of(_is_integer), "a list of integers of 64 bits"),
    "Intersection": (_is_intersection, "an object with a kind and edges, pairs of a number and a tag"),
    "None": (_is_nothing, "null"),
    "Point": (_is_point, "an object with the numbers x and y"),
    "PointVector": (_is_list_of(_is_point), "a list of points"),
    "Polygon": (_is_polygon, "an object with vertices, a list of points, and tags or null"),
    "PolygonVector": (_is_list_of(_is_polygon), "a list of polygons"),
    "String": (_is_text, "text"),
    "StringVector": (_is_list_of(_is_text), "a list of text"),
}


class AttributeValue(CamelModel):
    """One value: ``value`` is an object with one member, named by its type as Savant names it."""

    confidence: float | None = Field(None, description="How sure it is, from 0 to 1 by custom.")
    value: dict[str, Any] = Field(
        min_length=1, max_length=1, description="An object of one member, which names the type."
    )

    @field_validator("value")
    @classmethod
    def _of_a_known_type(cls, value: dict[str, Any]) -> dict[str, Any]:
        ((name, said),) = value.items()
        if name not in _TYPES:
            raise ValueError(f"{name} is not a known type; known are {', '.join(_TYPES)}")
        fits, what = _TYPES[name]
        if not fits(said):
            raise ValueError(f"the value of {name} does not fit; it must be {what}")
        return value


class Attribute(CamelModel):
    """Something said of every element of media that is sent."""

    namespace: str = Field(min_length=1, max_length=255, description="Who says it.")
    name: str = Field(min_length=1, max_length=255, description="What it is called there.")
    values: list[AttributeValue] = Field(default_factory=list, max_length=10_000, description="What it says.")
    hint: Annotated[str, Field(max_length=1024)] | None = Field(None, description="A remark for people.")
    is_persistent: bool = Field(True, description="Goes on with the element after the next module.")
    is_hidden: bool = Field(False, description="Is not shown by default.")
