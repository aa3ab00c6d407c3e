"""Recipe ``retrieveCopy``: a payload that is not there, from wherever it can be had.

Equivalents first, by what they cost: contents of this store, then folders, then object stores, nearer ones
before farther. Then, if the content is a rendition that is made here, it is made of its source. What was
found is kept with a fresh lifetime, and the next elements are warmed. If nothing is found the recipe
declines, so the answer stays what it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from jobengine.model.casing import CamelModel
from jobengine.model.media_reference import Direct, Stamps, Times, parse_reference
from jobengine.model.recipe import Recipe, Result, Task
from jobengine.worker.convert.task import own


class RetrieveCopy(Recipe):
    """Fills in payloads: of the one element that is referred to directly, such as ``packet_42``, or of all in
    a range of time."""

    least_sources = most_sources = 1

    class Parameters(CamelModel):
        """``lifetimeS``: how long what was found is kept; ``depth``: how many equivalents one after the
        other are tried; ``readAhead``: how many further elements are warmed."""

        lifetime_s: Annotated[float, Field(gt=0, le=1e9)] = 120
        depth: Annotated[int, Field(ge=1, le=100)] = 8
        read_ahead: Annotated[int, Field(ge=0, le=1000)] = 2

    def run(self, task: Task, parameters: Parameters) -> Result:
        """Nothing, if the payload is there now; of a range: if any is."""
        from jobengine.worker.convert.payload_search import PayloadSearch

        source = task.sources[0]
        wanted = parse_reference(source.reference)
        lifetime = timedelta(seconds=parameters.lifetime_s)
        search = PayloadSearch(own(task), source.content, source.index, parameters.depth, lifetime)
        if isinstance(wanted, Stamps | Times):
            return Result(is_declined=not search.fill_range(wanted))
        if not isinstance(wanted, Direct) or not search.fill(wanted, parameters.read_ahead):
            return Result(is_declined=True)
        for following in search.behind(wanted, parameters.read_ahead):
            task.passed()
            search.fill(following)
        return Result()
