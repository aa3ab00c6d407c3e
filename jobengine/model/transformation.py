"""Recipes of transformations that can be run: filter graphs over the sources, one for each stream to be made.

::

    {"video": [{"sources": [{"content": "news"}, {"content": "logo"}], "filter": "overlay=x=10:y=10"}],
     "audio": [{"filter": "amix=inputs=2"}]}

The n-th entry of ``video`` makes the n-th stream of pictures of its target, and so do those of ``audio``. A
text, or an object with neither ``video`` nor ``audio``, is a note for people and others' workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from jobengine.errors import Fault, MalformedError
from jobengine.model.beam.values import BeamModel, malformed, read_document
from jobengine.model.filter_graph import FilterGraph, parse_graph

Json = Any
MAX_OUTPUTS = 64
MAX_SOURCES = 16
SLOWEST, FASTEST = Fraction(1, 100), Fraction(100)
_KINDS = ("video", "audio")
Name = Annotated[str, Field(min_length=1, max_length=1000)]


class _Part(BeamModel):
    """Base of the parts: whatever has no meaning is refused."""

    model_config = ConfigDict(extra="forbid")


def _check_speed(given: float | list[int]) -> float | list[int]:
    is_pair = isinstance(given, list) and len(given) == 2 and min(given) > 0
    if (isinstance(given, list) and not is_pair) or not SLOWEST <= _as_fraction(given) <= FASTEST:
        raise ValueError(
            "must be a number from 0.01 to 100, or the two of a fraction, such as [25025, 24000]"
        )
    return given


def _as_fraction(given: float | list[int]) -> Fraction:
    return Fraction(*given) if isinstance(given, list) else Fraction(str(given))


class RecipeSource(_Part):
    """A stream that is read: ``stream`` of ``content``, one of the transformation's sources, else the first
    stream of its kind; ``speed`` times as fast, and then ``shift`` microseconds later than it is there."""

    content: Name
    stream: Name | None = None
    speed: Annotated[float | list[int], AfterValidator(_check_speed)] = 1.0
    shift: Annotated[int, Field(ge=-(2**62), le=2**62)] = 0

    @property
    def pace(self) -> Fraction:
        """``speed``, exactly as it was written."""
        return _as_fraction(self.speed)


class RecipeOutput(_Part):
    """A stream that is made, of ``target``, else of the first target. The first of ``sources`` leads: there
    is a picture when it has one. None given: the transformation's sources in their order."""

    target: Name | None = None
    sources: Annotated[list[RecipeSource], Field(min_length=1, max_length=MAX_SOURCES)] | None = None
    filter: str


def _as_output(value: Json) -> Json:
    return {"filter": value} if isinstance(value, str) else value


def _as_list(value: Json) -> Json:
    return value if isinstance(value, list) else [value]


_Output = Annotated[RecipeOutput, BeforeValidator(_as_output)]
_Outputs = Annotated[list[_Output], BeforeValidator(_as_list), Field(max_length=MAX_OUTPUTS)]


class TransformationRecipe(_Part):
    """The streams of each kind, in their order."""

    video: _Outputs = Field([])
    audio: _Outputs = Field([])


@dataclass(frozen=True, slots=True)
class StreamRecipe:
    """How one stream is made."""

    sources: tuple[RecipeSource, ...]
    graph: FilterGraph


def check_recipe(recipe: Json, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Raise MalformedError, with the place, if a recipe that can be run could not be."""
    read = _read(recipe)
    for kind in _KINDS if read is not None else ():
        for index, output in enumerate(getattr(read, kind)):
            place = f"/recipe/{kind}/{index}"
            if output.target is not None and output.target not in targets:
                raise malformed([Fault(f"{place}/target", f"{output.target!r} is not among the targets")])
            for number, source in enumerate(output.sources or ()):
                if source.content not in sources:
                    fault = Fault(f"{place}/sources/{number}", f"{source.content!r} is not among the sources")
                    raise malformed([fault])
            try:
                _stream_recipe(kind, output, sources)
            except MalformedError as error:
                raise malformed([Fault(f"{place}/filter", error.detail)]) from None


def stream_recipe(
    recipe: Json, sources: Sequence[str], targets: Sequence[str], target: str, kind: str, number: int
) -> StreamRecipe | None:
    """How the ``number``-th stream of a kind of ``target`` is made; None if the recipe does not say.

    The recipe was checked when it was noted.
    """
    read = _read(recipe)
    if read is None or kind not in _KINDS:
        return None
    outputs = [each for each in getattr(read, kind) if (each.target or targets[0]) == target]
    return _stream_recipe(kind, outputs[number], sources) if number < len(outputs) else None


def _read(recipe: Json) -> TransformationRecipe | None:
    if not isinstance(recipe, Mapping) or not any(kind in recipe for kind in _KINDS):
        return None
    return read_document(TransformationRecipe, dict(recipe), "/recipe")


def _stream_recipe(kind: str, output: RecipeOutput, names: Sequence[str]) -> StreamRecipe:
    given = output.sources or [RecipeSource(content=name) for name in names[:MAX_SOURCES]]
    return StreamRecipe(tuple(given), parse_graph(output.filter, kind, len(given)))
