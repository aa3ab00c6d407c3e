"""Documents in any key case come in, camelCase goes out.

The public samples of job documents mix ``InputGraph``, ``inputGraph`` and ``Filepath``; all mean the
same key. Numbers and booleans may come as strings. Unknown keys are faults, except ``Comment`` and
``Clsid``, which old documents carry and which mean nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

TOLERATED_KEYS = frozenset({"comment", "clsid"})


class CamelModel(BaseModel):
    """Base of every document model: any key case in, camelCase out, unknown keys refused.

    ``key_synonyms`` names other (lower-case) spellings of a member, each with its camelCase key.
    """

    key_synonyms: ClassVar[Mapping[str, str]] = {}

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _read_any_case(cls, value: Any, handler: ModelWrapValidatorHandler[CamelModel]) -> CamelModel:
        if not isinstance(value, dict):
            return handler(value)
        known, unknown = _sort_keys(cls, value)
        errors = [_unknown_key(cls, key) for key in unknown]
        try:
            model = handler(known)
        except ValidationError as error:
            errors = [_as_init_error(line) for line in error.errors(include_url=False)] + errors
        else:
            if not errors:
                return model
        raise ValidationError.from_exception_data(cls.__name__, errors)

    def document(self) -> dict[str, Any]:
        """The camelCase JSON value with exactly the members that were given (explicit nulls kept)."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


@cache
def _aliases(model: type[CamelModel]) -> dict[str, str]:
    spellings = dict(model.key_synonyms)
    for name, field in model.model_fields.items():
        key = field.alias or name
        spellings |= {key.lower(): key, name: key}
    return spellings


def _sort_keys(model: type[CamelModel], value: dict[Any, Any]) -> tuple[dict[str, Any], list[str]]:
    aliases, known, unknown = _aliases(model), {}, []
    for key, member in value.items():
        folded = str(key).lower()
        if folded in aliases and aliases[folded] not in known:
            known[aliases[folded]] = member
        elif folded not in TOLERATED_KEYS:
            unknown.append(str(key))
    return known, unknown


def _unknown_key(model: type[CamelModel], key: str) -> InitErrorDetails:
    aliases = _aliases(model)
    if key.lower() in aliases:
        text = "is given twice in different cases"
    else:
        near = get_close_matches(key.lower(), aliases, n=1)
        known = ", ".join(sorted(set(aliases.values())))
        hint = f"did you mean {aliases[near[0]]!r}?" if near else f"known are {known}"
        text = f"is not a known key; {hint}"
    return {"type": PydanticCustomError("unknown_key", text), "loc": (key,), "input": None}


def _as_init_error(line: Any) -> InitErrorDetails:
    message = str(line["msg"]).removeprefix("Value error, ")
    escaped = message.replace("{", "(").replace("}", ")")
    return {"type": PydanticCustomError(line["type"], escaped), "loc": line["loc"], "input": line["input"]}
