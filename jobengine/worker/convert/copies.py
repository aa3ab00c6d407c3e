"""Recipes ``makeEquivalent`` and ``storeCopy``: contents in a folder or an object store, as equivalents.

The place gets ``format.json``, and for each element its description and its payload, plane by plane; so a
content can be read without its store. The equivalent is a content whose name is the URL of that place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, Field, ValidationInfo

from jobengine.contents.catalogue import Content
from jobengine.contents.relations import Relations
from jobengine.errors import ConflictError, RevisionMismatch
from jobengine.model.beam.elements import to_document
from jobengine.model.casing import CamelModel
from jobengine.model.element import StoredElement
from jobengine.model.recipe import Buffer, Recipe, Result, Task
from jobengine.model.roots import MediaRoots
from jobengine.ports.contents import PutDocument
from jobengine.worker.convert.copy_places import (
    CopyPlace,
    description_path,
    payload_path,
)
from jobengine.worker.convert.sources import StoreSource
from jobengine.worker.convert.task import OpenTask, own

_COPIES = "copies"
_PAGE = 256
_RACES = 100


def _check_place(to: str, info: ValidationInfo) -> str:
    """Refuse with a job what its worker would refuse later; there is no context where one can't be had."""
    if isinstance(info.context, MediaRoots):
        info.context.check_copies(to)
    return to


class Copying(CamelModel):
    """``to``: a folder below the media roots, or a URL below one that the operator allowed."""

    to: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_check_place)] = "copies"


class MakeEquivalent(Recipe):
    """Makes the equivalents of contents, or brings them up to date: their format and streams, no element."""

    class Parameters(Copying):
        """Where to."""

    def run(self, task: Task, parameters: Parameters) -> Result:
        """The contents and the relations."""
        ours = own(task)
        for name in ours.contents:
            if ours.places.known(name) is None:  # is not the equivalent of another itself
                _relate(ours, name, ours.places.new(parameters.to, name))
            task.passed()
        return Result()


class StoreCopy(Recipe):
    """Copies what the references find, element by element; what has no payload is described only."""

    class Parameters(Copying):
        """Where to; ``newOnly``: what has come since such a job last copied this stream there."""

        new_only: bool = False

    def run(self, task: Task, parameters: Parameters) -> Result:
        """The copies and the relation."""
        ours = own(task)
        for source in ours.sources:
            place = ours.places.new(parameters.to, source.content)
            found = _arrived(ours, source, place) if parameters.new_only else _referred(source)
            for stored, planes in found:
                _write(place, source, stored, planes)
                task.passed()
            _relate(ours, source.content, place)
        return Result()


Found = tuple[StoredElement, Sequence[Buffer] | None]


def _referred(source: StoreSource) -> Iterator[Found]:
    return ((item.stored, item.planes) for item in source.elements())


def _arrived(task: OpenTask, source: StoreSource, place: CopyPlace) -> Iterator[Found]:
    """What has come since the last time, in order of arrival; how far that was is noted page by page."""
    key = f"{source.number} {place.url}"
    known = task.store.document(_COPIES, key)
    sequence = known.value["nextSequence"] if known else 0
    while page := task.store.scan(source.number, sequence, _PAGE):
        found = [each for each in page if isinstance(each, StoredElement)]
        yield from zip(found, task.store.payloads(found), strict=True)
        last = page[-1]
        sequence = 1 + (last.sequence if isinstance(last, StoredElement) else last.last_sequence)
        task.store.commit([PutDocument(_COPIES, key, {"nextSequence": sequence}, None)])


def _write(
    place: CopyPlace, source: StoreSource, stored: StoredElement, planes: Sequence[Buffer] | None
) -> None:
    element = stored.element
    where = source.index, element.kind, element.pts or 0
    for plane, data in enumerate(planes or ()):
        place.write(payload_path(*where, plane), [data])
    described = to_document(element, source.index, with_id=True)
    place.write(description_path(*where), [msgspec.json.encode(described)])


def _relate(task: OpenTask, name: str, place: CopyPlace) -> None:
    """Let the place's content say what ``name`` says, and be its equivalent."""
    for _ in range(_RACES):
        content = task.catalogue.get(name)
        wanted = {**content.format, "url": place.url}
        there = task.catalogue.find(place.url)
        if there is not None and (there.format, there.streams) == (wanted, content.streams):
            break
        place.write("format.json", [msgspec.json.encode(_document(content, wanted))])
        try:
            if there is None:
                task.catalogue.create(place.url, wanted, content.streams)
            else:
                changed = replace(there, format=wanted, streams=content.streams)
                task.catalogue.change(changed, there.revision)
        except (ConflictError, RevisionMismatch):
            continue  # another copy was faster
    Relations(task.store, task.catalogue).equivalents.create(name, place.url)


def _document(content: Content, wanted: dict[str, Any]) -> dict[str, Any]:
    return {**wanted, "streams": [stream for stream in content.streams if stream is not None]}
