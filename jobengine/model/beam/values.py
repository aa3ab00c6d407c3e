"""What members of Beam documents are made of: numbers, rationals, binary values; and reading a document.

Documents keep what was sent: members that are not known stay as they are, those that are known are checked.
Binary values come as Node's ``{"type": "Buffer", "data": [...]}`` or as base64, and go out as the former.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from jobengine.errors import Fault, MalformedError
from jobengine.model.element import PTS_MAX, PTS_MIN
from jobengine.model.faults import sentence_of

Json = Any


class BeamModel(BaseModel):
    """Base of the documents: names as on the wire, further members kept, values never converted."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    def document(self) -> dict[str, Json]:
        """The members that were given."""
        return self.model_dump(exclude_unset=True)


Model = TypeVar("Model", bound=BeamModel)


def read_document(model: type[Model], value: Json, pointer: str = "") -> Model:
    """``value`` as a document. Raises MalformedError that names every fault by its place."""
    if not isinstance(value, dict):
        raise malformed([Fault(pointer, f"must be an object, not {kind_of(value)}")])
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise malformed([_fault(line, value, pointer) for line in error.errors(include_url=False)]) from None


def malformed(faults: list[Fault]) -> MalformedError:
    """What is wrong with a document, by place: as the Beam API has it, a request that can't be read (400)."""
    text = "; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in faults)
    errors = [{"pointer": fault.pointer, "detail": fault.detail} for fault in faults]
    return MalformedError(text, errors=errors)


def kind_of(value: Json) -> str:
    """What sort of JSON value this is, for people."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "an array"}
    return names.get(type(value), "an object")


def _fault(line: Any, value: Json, pointer: str) -> Fault:
    """Pydantic also names the branches of a union; they are no places of the document."""
    for step in line["loc"]:
        is_member = isinstance(value, dict) and isinstance(step, str)
        if not is_member and not (isinstance(value, list) and isinstance(step, int)):
            break
        pointer += "/" + str(step).replace("~", "~0").replace("/", "~1")
        value = value.get(step) if is_member else value[step]
    return Fault(pointer, sentence_of(line["msg"]))


def _read_binary(value: Json) -> Json:
    if isinstance(value, str):
        try:
            return buffer_of(b64decode(value, validate=True))
        except binascii.Error as error:
            raise ValueError(f"must be base64 or a Buffer: {error}") from None
    if is_buffer(value):
        return value
    raise ValueError('must be {"type": "Buffer", "data": [bytes]} or base64')


def is_buffer(value: Json) -> bool:
    """Whether this is a binary value in Node's form."""
    return (
        isinstance(value, dict)
        and len(value) == 2
        and value.get("type") == "Buffer"
        and isinstance(value.get("data"), list)
        and all(type(byte) is int and 0 <= byte <= 255 for byte in value["data"])
    )


def buffer_of(data: bytes) -> dict[str, Json]:
    """Node's form of a binary value."""
    return {"type": "Buffer", "data": list(data)}


def bytes_of(value: Json) -> bytes:
    """The bytes of a binary value that was read from a document."""
    return bytes(value["data"])


def pack(value: Json) -> Json:
    """``value`` with bytes in place of binary values, for msgpack."""
    if isinstance(value, int):
        return value
    if isinstance(value, dict):
        if is_buffer(value):
            return bytes_of(value)
        return {name: pack(member) for name, member in value.items()}
    return [pack(item) for item in value] if isinstance(value, list) else value


def unpack(value: Json) -> Json:
    """The inverse of `pack`."""
    if isinstance(value, bytes):
        return buffer_of(value)
    if isinstance(value, dict):
        return {name: unpack(member) for name, member in value.items()}
    return [unpack(item) for item in value] if isinstance(value, list) else value


def _read_side_data(value: Json) -> Json:
    """Every member but the type is binary, or an object of known parts."""
    if not isinstance(value, Mapping):
        return value
    return {
        name: _read_binary(member) if isinstance(member, str) and name != "type" else member
        for name, member in value.items()
    }


def _as_texts(value: dict[str, Json]) -> dict[str, str]:
    return {name: member if isinstance(member, str) else _text(member) for name, member in value.items()}


def _text(value: Json) -> str:
    """A value as JSON writes it; whole numbers without a point, as JavaScript has them."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e21
    return json.dumps(int(value) if is_whole else value, ensure_ascii=False, separators=(",", ":"))


Int64 = Annotated[int, Field(ge=PTS_MIN, le=PTS_MAX)]
Size = Annotated[int, Field(ge=0, le=2**32 - 1)]
Rational = Annotated[list[Int64], Field(min_length=2, max_length=2)]
Options = dict[str, Any]
Texts = Annotated[dict[str, Any], AfterValidator(_as_texts)]
"""Members of any value, each of which becomes text."""
Flags = dict[str, bool]
Binary = Annotated[
    dict[str, Any],
    BeforeValidator(_read_binary),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "contentEncoding": "base64"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": "Buffer"},
                        "data": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}},
                    },
                    "required": ["type", "data"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
SideData = Annotated[dict[str, Any], BeforeValidator(_read_side_data)]
