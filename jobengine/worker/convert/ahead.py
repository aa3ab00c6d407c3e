"""Recipe ``makeRenditions``: renditions that are made just in case, as soon as their source comes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import pts_of
from jobengine.contents.relations import Relations
from jobengine.contents.relations.renditions import Making
from jobengine.contents.relations.stream_map import read_stream_map
from jobengine.model.beam.streams import time_base_of
from jobengine.model.casing import CamelModel
from jobengine.model.recipe import Recipe, Result, Task
from jobengine.worker.convert.equivalent_payloads import EquivalentPayloads
from jobengine.worker.convert.sources import StoreSource
from jobengine.worker.convert.task import OpenTask, own

EQUIVALENTS_DEPTH = 8


class MakeRenditions(Recipe):
    """Makes what the references find anew in every direct rendition that is made just in case."""

    class Parameters(CamelModel):
        """``lifetimeS``: how long the payload of what was made is kept."""

        lifetime_s: Annotated[float, Field(gt=0, le=1e9)] = 120

    def run(self, task: Task, parameters: Parameters) -> Result:
        """The elements of the renditions."""
        from jobengine.worker.convert.derived.rendering import Rendering

        ours = own(task)
        relations = Relations(ours.store, ours.catalogue)
        equivalents = EquivalentPayloads(ours, relations, EQUIVALENTS_DEPTH)
        rendering = Rendering(ours, relations, equivalents, timedelta(seconds=parameters.lifetime_s))
        for source in ours.sources:
            targets = list(_targets(ours, relations, source))
            for item in source.elements():
                at = pts_of(item.stored) * (time_base_of(source.stream) or 1)
                for target, index in targets:
                    rendering.catch_up(target, index, Fraction(at))
                task.passed()
        return Result()


def _targets(task: OpenTask, relations: Relations, source: StoreSource) -> Iterator[tuple[Content, int]]:
    """The streams that are made of a source's stream."""
    original = task.catalogue.get(source.content)
    for name in relations.renditions.targets(source.content):
        noted = relations.renditions.of(name)
        target = task.catalogue.find(name)
        if noted is None or target is None or noted.making is not Making.JUST_IN_CASE:
            continue
        mapped = read_stream_map(noted.stream_map, original, target)
        for index in range(len(target.streams)):
            picks = mapped.get(index)
            if index == source.index if picks is None else any(p.stream == source.index for p in picks):
                yield target, index
