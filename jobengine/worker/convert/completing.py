"""What a recipe is about to read, brought back first: payloads from equivalents, derived elements made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from jobengine.model.media_reference import Direct, Places, Stamps, Times, parse_reference
from jobengine.model.recipe import Source, Task
from jobengine.worker.convert.sources import StoreSource
from jobengine.worker.convert.task import OpenTask

_DEPTH = 8
_LIFETIME = timedelta(minutes=2)


def complete(task: Task, sources: Sequence[Source]) -> None:
    """Bring back what the references name, and what it is decoded from; kept for two minutes.

    What is nowhere stays missing. Raises MalformedError for too long a range, or MediaError if something
    can't be made.
    """
    from jobengine.worker.convert.payload_search import PayloadSearch

    if not isinstance(task, OpenTask):
        return
    for source in sources:
        wanted = parse_reference(source.reference)
        if isinstance(wanted, Direct | Stamps | Times | Places) and isinstance(source, StoreSource):
            search = PayloadSearch(task, source.content, source.index, _DEPTH, _LIFETIME)
            if search.may_find:
                search.restore(wanted)
                # What was made may have shown what decoders have to know.
                source.reread(task.catalogue.get(source.content))
