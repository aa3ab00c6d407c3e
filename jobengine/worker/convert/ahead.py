"""Recipe ``makeRenditions``: what is derived just in case, as soon as its source comes."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from jobengine.contents.look_up import pts_of
from jobengine.contents.relations import Relations
from jobengine.contents.relations.making import Making
from jobengine.model.beam.streams import time_base_of
from jobengine.model.casing import CamelModel
from jobengine.model.recipe import Recipe, Result, Task
from jobengine.worker.convert.equivalent_payloads import EquivalentPayloads
from jobengine.worker.convert.task import own

EQUIVALENTS_DEPTH = 8


class MakeRenditions(Recipe):
    """Makes what the references find anew in all that is made of it directly and just in case."""

    class Parameters(CamelModel):
        """``lifetimeS``: how long the payload of what was made is kept."""

        lifetime_s: Annotated[float, Field(gt=0, le=1e9)] = 120

    def run(self, task: Task, parameters: Parameters) -> Result:
        """The elements of renditions and transformations."""
        from jobengine.worker.convert.derived.rendering import Rendering

        ours = own(task)
        relations = Relations(ours.store, ours.catalogue)
        equivalents = EquivalentPayloads(ours, relations, EQUIVALENTS_DEPTH)
        rendering = Rendering(ours, relations, equivalents, timedelta(seconds=parameters.lifetime_s))
        for source in ours.sources:
            targets = rendering.feeds(source, Making.JUST_IN_CASE)
            for item in source.elements():
                at = pts_of(item.stored) * (time_base_of(source.stream) or 1)
                for target, index in targets:
                    rendering.catch_up(target, index, Fraction(at))
                task.passed()
        return Result()
