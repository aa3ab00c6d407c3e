"""Recipe ``storeCopy``: payloads into a folder or an object store, which becomes an equivalent content."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jobengine.contents.catalogue import Content
from jobengine.contents.relations import Relations
from jobengine.errors import ConflictError
from jobengine.model.casing import CamelModel
from jobengine.model.recipe import Recipe, Result, Source, Task
from jobengine.worker.convert.copy_places import CopyPlace, new_place, payload_path
from jobengine.worker.convert.task import OpenTask, own


class StoreCopy(Recipe):
    """Copies what the references find, element by element; what has no payload is passed over."""

    class Parameters(CamelModel):
        """``to``: a folder below the media roots, or a URL below one that the operator allowed."""

        to: Annotated[str, Field(min_length=1, max_length=1000)] = "copies"

    def run(self, task: Task, parameters: Parameters) -> Result:
        """The copies and the relation."""
        ours = own(task)
        for source in task.sources:
            context = ours.context
            place = new_place(context.roots, context.copy_urls, parameters.to, source.content)
            self._copy(task, source, place)
            _relate(ours, source.content, place.url)
        return Result()

    def _copy(self, task: Task, source: Source, place: CopyPlace) -> None:
        for item in source.elements():
            element = item.stored.element
            for plane, data in enumerate(item.planes or ()):
                place.write(payload_path(source.index, element.kind, element.pts or 0, plane), [data])
            task.passed()


def _relate(task: OpenTask, name: str, url: str) -> None:
    """Note the place as a content of the same format, equivalent to the one that was copied."""
    content = task.catalogue.get(name)
    if task.catalogue.find(url) is None:
        try:
            task.catalogue.create(url, {**content.format, "url": url}, _streams(content))
        except ConflictError:
            task.catalogue.get(url)  # another copy was faster
    Relations(task.store, task.catalogue).equivalents.create(name, url)


def _streams(content: Content) -> list[dict[str, object]]:
    return [
        dict(stream) if stream is not None else {"type": "Stream", "index": index}
        for index, stream in enumerate(content.streams)
    ]
