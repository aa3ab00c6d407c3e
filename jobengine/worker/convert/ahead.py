"""Recipe ``makeRenditions``: renditions that are made just in case, as soon as their source comes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from jobengine.clock import to_us
from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import pts_of
from jobengine.contents.relations import Relations
from jobengine.contents.relations.renditions import Making
from jobengine.contents.relations.stream_map import read_stream_map
from jobengine.model.beam.streams import time_base_of
from jobengine.model.casing import CamelModel
from jobengine.model.element import ElementKind
from jobengine.model.media_reference import Direct
from jobengine.model.recipe import Recipe, Result, Task
from jobengine.ports.contents import PutElement, PutMode
from jobengine.worker.convert.equivalent_payloads import EquivalentPayloads
from jobengine.worker.convert.rendering import Rendering
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
        ours = own(task)
        relations = Relations(ours.store, ours.catalogue)
        rendering = Rendering(ours, relations, EquivalentPayloads(ours, relations, EQUIVALENTS_DEPTH))
        lifetime = timedelta(seconds=parameters.lifetime_s)
        for source in ours.sources:
            targets = list(_targets(ours, relations, source))
            for item in source.elements():
                for target, index in targets:
                    wanted = _wanted(source, target, index, pts_of(item.stored))
                    made = rendering.make(target, index, wanted) if wanted is not None else None
                    if made is not None:
                        expires_us = to_us(ours.clock.now() + lifetime)
                        number = target.stream_number(index)
                        ours.store.commit([PutElement(number, *made, PutMode.REPLACE, expires_us)])
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
            if index == source.index if picks is None else picks[0].stream == source.index:
                yield target, index


def _wanted(source: StoreSource, target: Content, index: int, pts: int) -> Direct | None:
    """What stands in the rendition for a moment of the source: a frame if it is raw, else a packet."""
    stream = target.streams[index] or {}
    ours, theirs = time_base_of(stream), time_base_of(source.stream)
    if ours is None or theirs is None:
        return None
    is_raw = (stream.get("codecpar") or {}).get("name") == "rawvideo"
    return Direct(ElementKind.FRAME if is_raw else ElementKind.PACKET, round(pts * theirs / ours))
