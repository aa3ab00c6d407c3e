"""``/beams/{content}/equivalent``, ``/rendition`` and ``/transformation``: how contents belong together.

The content in front is the one that is told of: an equivalent of ``related``, a rendition made of the source
``related``, a target of a transformation.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from flask import Response, request
from pydantic import ConfigDict, Field, RootModel

from jobengine.contents.relations import Relations
from jobengine.contents.relations.making import Making
from jobengine.contents.relations.transformations import MAX_ENDS, Transformation
from jobengine.errors import MalformedError, NotFoundError
from jobengine.model.beam.values import BeamModel, read_document
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Role
from jobengine.rest.beams.bodies import read_json
from jobengine.rest.beams.path import variable
from jobengine.rest.beams.services import BeamServices
from jobengine.rest.parameters import Flag, NoQuery, Query, Text

Json = Any
CONTENT = "/beams/<content>"
TAG = "relations"
WRITING = Role.OPERATOR
NOTED = {201: Answer("Noted", media_type=""), 200: Answer("Known already", media_type="")}
FORGOTTEN = {204: Answer("Forgotten", media_type="")}
MAX_DEPTH = 100
Name = Annotated[str, Field(min_length=1, max_length=1000)]
Depth = Annotated[int, Field(ge=1, le=MAX_DEPTH)]
Microseconds = Annotated[int, Field(ge=0, le=2**62)]


class DepthQuery(Query):
    """How far to follow."""

    depth: Depth = Field(1, description="How many relations to follow, one after the other.")


class WayQuery(DepthQuery):
    """How far to follow, and in which direction."""

    reverse: Flag = Field(False, description="What is made of this content, instead of what it is made of.")


class TargetsQuery(Query):
    """Which transformation is meant."""

    targets: Text | None = Field(
        None,
        description="Exactly these, as a JSON list; none given: whatever makes this one.",
    )


class NameList(RootModel[list[str]]):
    """Names of contents, nearest first."""


class _Body(BeamModel):
    """Base of the bodies: unlike documents of media, they have no further members."""

    model_config = ConfigDict(extra="forbid")


class RenditionBody(_Body):
    """What is said of a rendition. ``stream_map``: the target's streams, each with what it is made of."""

    stream_map: dict[str, Any] | None = None
    making: Literal["provided", "justInTime", "justInCase"] = "justInTime"


class TransformationBody(_Body):
    """Sources in the order of the recipe's arguments, targets (this content, unless given), a recipe.

    ``start_time`` and ``duration`` bound it, in microseconds of the targets' time. A recipe of filters is run
    when, or before, its elements are wanted, as ``making`` says.
    """

    sources: Annotated[list[Name], Field(max_length=MAX_ENDS)]
    targets: Annotated[list[Name], Field(max_length=MAX_ENDS)] | None = None
    recipe: str | dict[str, Any] = ""
    start_time: Microseconds | None = None
    duration: Annotated[Microseconds, Field(ge=1)] | None = None
    making: Literal["provided", "justInTime", "justInCase"] = "justInTime"


class RenditionShape(BeamModel):
    """``sources`` nearest first, of the nearest ``stream_map`` and ``making``; reversed, ``dependencies``."""

    sources: list[str]
    stream_map: dict[str, Any] | None = None
    making: Making | None = None
    dependencies: list[str] | None = None


class TransformationShape(BeamModel):
    """What makes this content; with a depth, ``upstream`` tells what makes the sources."""

    model_config = ConfigDict(extra="allow")

    sources: list[str] | None = None
    targets: list[str] | None = None
    recipe: str | dict[str, Any] | None = None
    source: str | None = None
    transformations: list[list[str]] | None = None


class RelationRoutes:
    """The relations of one store."""

    def __init__(self, services: BeamServices) -> None:
        self._relations: Relations = services.relations
        self._limit = services.max_document_bytes

    def equivalents(self, call: Call[DepthQuery]) -> Response:
        """List the equivalents of a content, those at most `depth` pairs away."""
        return json_response(self._relations.equivalents.query(variable(call, "content"), call.query.depth))

    def add_equivalent(self, call: Call[NoQuery]) -> Response:
        """Note that two contents hold the same bytes. 201 if that is new, 200 if it was known."""
        is_new = self._relations.equivalents.create(*_ends(call))
        return Response(status=201 if is_new else 200)

    def remove_equivalent(self, call: Call[NoQuery]) -> Response:
        """Forget a pair; what is equivalent by others stays so."""
        name, other = _ends(call)
        if not self._relations.equivalents.delete(name, other):
            raise NotFoundError(f"{other!r} is not noted as equivalent of {name!r}")
        return Response(status=204)

    def rendition(self, call: Call[WayQuery]) -> Response:
        """What a content is a rendition of; with `reverse` its direct renditions too."""
        name = variable(call, "content")
        view: dict[str, Json] = {"sources": self._relations.renditions.sources(name, call.query.depth)}
        noted = self._relations.renditions.of(name)
        if noted is not None:
            view |= {"stream_map": noted.stream_map} if noted.stream_map else {}
            view["making"] = noted.making
        if call.query.reverse:
            view["dependencies"] = self._relations.renditions.targets(name)
        return json_response(view)

    def add_rendition(self, call: Call[NoQuery]) -> Response:
        """Note that a content is a rendition of another. 200 if it was one of the same already.

        A content has one source: a new one takes the place of the old one.
        """
        target, source = _ends(call)
        body = self._body(RenditionBody)
        is_new = self._relations.renditions.create(source, target, body.stream_map, Making(body.making))
        return Response(status=201 if is_new else 200)

    def remove_rendition(self, call: Call[NoQuery]) -> Response:
        """Forget that a content is a rendition of this source."""
        target, source = _ends(call)
        if not self._relations.renditions.delete(source, target):
            raise NotFoundError(f"{target!r} is not a rendition of {source!r}")
        return Response(status=204)

    def transformation(self, call: Call[WayQuery]) -> Response:
        """What makes a content; with `reverse` what is made of it."""
        name, depth = variable(call, "content"), call.query.depth
        if call.query.reverse:
            found = self._relations.transformations.downstream(name, depth)
            return json_response({"source": name, "transformations": [list(made.targets) for made in found]})
        found = self._relations.transformations.upstream(name, depth)
        if not found:
            return json_response({"sources": []})
        view = _view(found[0])
        return json_response(view | ({"upstream": [_view(made) for made in found[1:]]} if depth > 1 else {}))

    def add_transformation(self, call: Call[NoQuery]) -> Response:
        """Note what makes a content, and others with it."""
        body = self._body(TransformationBody)
        targets = body.targets or [variable(call, "content")]
        if variable(call, "content") not in targets:
            raise MalformedError("targets: the content in the address must be one of them")
        bounds = body.start_time, body.duration
        making = Making(body.making)
        made = Transformation(tuple(body.sources), tuple(targets), body.recipe, *bounds, making)
        self._relations.transformations.create(made)
        return json_response(_view(made), 201)

    def remove_transformation(self, call: Call[TargetsQuery]) -> Response:
        """Forget what makes a content, for all its targets."""
        name, transformations = variable(call, "content"), self._relations.transformations
        if call.query.targets is None:
            is_gone = transformations.delete_of(name)
        else:
            is_gone = transformations.delete(_names(call.query.targets))
        if not is_gone:
            raise NotFoundError(f"no transformation with exactly these targets makes {name!r}")
        return Response(status=204)

    def _body(self, model: type[Any]) -> Any:
        if not request.content_length and not request.mimetype:
            return read_document(model, {})
        value, _ = read_json(self._limit)
        return read_document(model, value)


def _ends(call: Call[NoQuery]) -> tuple[str, str]:
    return variable(call, "content"), variable(call, "related")


def _names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MalformedError('targets: must be a JSON list of names, such as ["a","b"]')
    return names


def _view(made: Transformation) -> dict[str, Json]:
    view: dict[str, Json] = {"sources": made.sources, "targets": made.targets, "recipe": made.recipe}
    making = None if made.making is Making.JUST_IN_TIME else made.making
    said = {"start_time": made.start_time_us, "duration": made.duration_us, "making": making}
    return view | {name: value for name, value in said.items() if value is not None}


def install(api: Api, services: BeamServices) -> None:
    """Add the routes."""
    r = RelationRoutes(services)
    api.add(*_equivalents(r), *_renditions(r), *_transformations(r))


def _equivalents(r: RelationRoutes) -> tuple[Route[Any], ...]:
    every, one = f"{CONTENT}/equivalent", f"{CONTENT}/equivalent/<related>"
    names = {200: Answer("Names, nearest first", NameList)}
    return (
        Route("GET", every, r.equivalents, "listEquivalents", TAG, names, DepthQuery),
        Route("POST", one, r.add_equivalent, "addEquivalent", TAG, NOTED, role=WRITING),
        Route("DELETE", one, r.remove_equivalent, "removeEquivalent", TAG, FORGOTTEN, role=WRITING),
    )


def _renditions(r: RelationRoutes) -> tuple[Route[Any], ...]:
    of, one, add = f"{CONTENT}/rendition", f"{CONTENT}/rendition/<related>", r.add_rendition
    found = {200: Answer("What it is a rendition of", RenditionShape)}
    return (
        Route("GET", of, r.rendition, "getRendition", TAG, found, WayQuery),
        Route(
            "POST", one, add, "addRendition", TAG, NOTED, body=RenditionBody, role=WRITING, problems=(409,)
        ),
        Route("DELETE", one, r.remove_rendition, "removeRendition", TAG, FORGOTTEN, role=WRITING),
    )


def _transformations(r: RelationRoutes) -> tuple[Route[Any], ...]:
    of, body = f"{CONTENT}/transformation", TransformationBody
    add, remove = r.add_transformation, r.remove_transformation
    made = Answer("The transformation", TransformationShape)
    new = {201: made}
    return (
        Route("GET", of, r.transformation, "getTransformation", TAG, {200: made}, WayQuery),
        Route("POST", of, add, "addTransformation", TAG, new, body=body, role=WRITING, problems=(409,)),
        Route("DELETE", of, remove, "removeTransformation", TAG, FORGOTTEN, TargetsQuery, role=WRITING),
    )
