"""The specification of a ``convert`` job: a recipe, the streams it reads, its parameters, where the result
goes. ``check_convert`` says whether an effective one is complete; it opens nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, ValidationError

from jobengine.errors import Fault, MalformedError, NotFoundError, SettingsError
from jobengine.model.casing import CamelModel
from jobengine.model.faults import faults_of
from jobengine.model.media_reference import parse_reference
from jobengine.model.recipe import Recipe, Request
from jobengine.model.recipes import find_recipe
from jobengine.model.roots import MediaRoots, PathRefused

Json = Any
EVERYTHING = "first-last"
MAX_SOURCES = 64
TimeoutMs = Annotated[int, Field(ge=1, le=86_400_000)]
Name = Annotated[str, Field(min_length=1, max_length=1000)]


class ConvertSource(CamelModel):
    """Elements of a content. ``stream`` is a stream's name or ``all``, ``reference`` a media reference."""

    content: Name = Field(description="Name of the content.")
    stream: Name = Field("default", description="A stream's number or name, or all.")
    reference: Name = Field(EVERYTHING, description="A media reference; left out, everything.")


class ConvertTarget(CamelModel):
    """Where the result is kept: a new file; a name that is taken gets ``_1``, ``_2`` …"""

    file_path: Name = Field(description="A path below the media folders.")


class ConvertSpec(CamelModel):
    """What a convert job makes. Without a ``target`` the result is kept for a short while, for whoever
    waits for it. A recipe that runs for more than ``timeoutMs`` ends in Error. ``request`` is written by
    rules."""

    recipe: Name | None = Field(None, description="What is to be made: the name of a recipe.")
    source: list[ConvertSource] | None = Field(None, description="What it is made of.")
    parameters: dict[str, Json] | None = Field(None, description="How: each recipe has its own.")
    target: ConvertTarget | None = Field(
        None, description="Where the result is kept; left out, for a short while only."
    )
    timeout_ms: TimeoutMs | None = Field(None, description="How long the recipe may run, in milliseconds.")
    request: Request | None = Field(None, description="The request that waits; written by rules.")


def read_parameters(
    recipe: type[Recipe], given: dict[str, Json] | None, roots: MediaRoots | None = None
) -> CamelModel:
    """The parameters of a recipe. ``roots`` are the context of its validators, where they matter.

    Raises pydantic's ValidationError.
    """
    return recipe.Parameters.model_validate(given or {}, context=roots)


def check_convert(spec: ConvertSpec, roots: MediaRoots) -> list[Fault]:
    """Everything that keeps an effective specification from being run; pointers are relative to it."""
    return [*_recipe_faults(spec, roots), *_source_faults(spec), *_target_faults(spec, roots)]


def _recipe_faults(spec: ConvertSpec, roots: MediaRoots) -> Iterator[Fault]:
    if spec.recipe is None:
        yield Fault("/recipe", "is missing; name what is to be made")
        return
    try:
        recipe = find_recipe(spec.recipe)
    except (NotFoundError, SettingsError) as error:
        yield Fault("/recipe", error.detail)
        return
    count = len(spec.source or ())
    most = min(recipe.most_sources, MAX_SOURCES)
    if not recipe.least_sources <= count <= most:
        span = f"{recipe.least_sources} to {most}"
        wanted = most if recipe.least_sources == most else span
        yield Fault("/source", f"names {count} sources; {spec.recipe} takes {wanted}")
    try:
        read_parameters(recipe, spec.parameters, roots)
    except ValidationError as error:
        yield from faults_of(error, spec.parameters, "/parameters")


def _source_faults(spec: ConvertSpec) -> Iterator[Fault]:
    for index, source in enumerate(spec.source or ()):
        try:
            parse_reference(source.reference)
        except MalformedError as error:
            yield Fault(f"/source/{index}/reference", error.detail)


def _target_faults(spec: ConvertSpec, roots: MediaRoots) -> Iterator[Fault]:
    if spec.target is not None:
        try:
            roots.resolve_target(spec.target.file_path)
        except PathRefused as refusal:
            yield Fault("/target/filePath", str(refusal))
