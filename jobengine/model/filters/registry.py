"""The filters by name: those that are there, and those of ROAD that are not there yet."""

from __future__ import annotations

from difflib import get_close_matches
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from jobengine.model.filters.content_source import ContentSource
from jobengine.model.filters.content_writer import ContentWriter
from jobengine.model.filters.devices import AsioRenderer, AsioSource, SoundMapper, WasapiSource
from jobengine.model.filters.file_reader import FileReader
from jobengine.model.filters.file_writer import FileWriter
from jobengine.model.filters.filter import Filter
from jobengine.model.filters.flac_dest import FlacDest
from jobengine.model.filters.synthesizer import AudioSynthesizer
from jobengine.model.filters.wav_dest import WavDest

FILTERS: dict[str, type[Filter]] = {
    "FileReader": FileReader,
    "ContentSource": ContentSource,
    "Audio Synthesizer": AudioSynthesizer,
    "ASIO Source": AsioSource,
    "WASAPI Source": WasapiSource,
    "WAVDest": WavDest,
    "FLACDest": FlacDest,
    "FileWriter": FileWriter,
    "ContentWriter": ContentWriter,
    "ASIO Renderer": AsioRenderer,
    "SoundMapper": SoundMapper,
}
OTHER_NAMES = {"FLAC": "FLACDest"}
NOT_YET = (
    "DPE Writer",
    "FFmpeg Audio Transformer",
    "FFmpeg Streaming Renderer",
    "InfTee",
    "Rundown Player",
    "Tee",
    "VST3 Filter",
)

_BY_FOLDED_NAME = {name.lower(): name for name in FILTERS} | {k.lower(): v for k, v in OTHER_NAMES.items()}
_NOT_YET_BY_FOLDED_NAME = {name.lower(): name for name in NOT_YET}


def read_filter(value: Any) -> Filter:
    """The filter that ``value`` describes, found by its name in any case. Raises pydantic's errors."""
    if isinstance(value, Filter):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("filter_type", "is not a filter; a filter is an object with a name")
    keys = [key for key in value if str(key).lower() == "name"]
    name = value[keys[0]] if keys else None
    if not isinstance(name, str):
        raise PydanticCustomError("filter_name", "has no name; a filter is found by its name")
    canonical = _BY_FOLDED_NAME.get(name.strip().lower())
    if canonical is None:
        raise PydanticCustomError("filter_name", _refusal(name.strip()).replace("{", "(").replace("}", ")"))
    return FILTERS[canonical].model_validate({**value, keys[0]: canonical})


def _refusal(name: str) -> str:
    if name.lower() in _NOT_YET_BY_FOLDED_NAME:
        return f"the filter {_NOT_YET_BY_FOLDED_NAME[name.lower()]} is not supported yet"
    near = get_close_matches(name.lower(), _BY_FOLDED_NAME, n=1)
    hint = f"did you mean {_BY_FOLDED_NAME[near[0]]!r}? " if near else ""
    return f"{name!r} is not a known filter; {hint}known are {', '.join(FILTERS)}"


class _ByName:
    """Lets pydantic read a filter by its name: no tag of a union gets into the place of an error."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        union = handler(reduce(or_, FILTERS.values()))
        return core_schema.no_info_wrap_validator_function(
            lambda value, _: read_filter(value),
            union,
            serialization=core_schema.plain_serializer_function_ser_schema(_write, info_arg=True),
        )


def _write(value: Filter, info: core_schema.SerializationInfo) -> Any:
    return value.model_dump(
        mode=info.mode,
        by_alias=info.by_alias,
        exclude_unset=info.exclude_unset,
        exclude_none=info.exclude_none,
    )


AnyFilter = Annotated[Filter, _ByName()]
