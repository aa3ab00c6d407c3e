"""What a recipe is given: its sources, opened, and where its result may be written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.errors import MediaError
from jobengine.model.convert import ConvertSource, ConvertSpec
from jobengine.model.recipe import Request, Stopped
from jobengine.ports.contents import ContentStore
from jobengine.ports.work import WorkContext
from jobengine.worker.convert.sources import StoreSource, open_sources


class OpenTask:
    """A `jobengine.model.recipe.Task`; ``store``, ``catalogue`` and ``context`` are for our own recipes."""

    def __init__(
        self,
        sources: Sequence[StoreSource],
        request: Request | None,
        new_file: Callable[[str], Path],
        store: ContentStore,
        catalogue: Catalogue,
        context: WorkContext,
    ) -> None:
        self.sources = sources
        self.request = request
        self.new_file = new_file
        self.store = store
        self.catalogue = catalogue
        self.context = context
        self._pass: Callable[[int], None] | None = None

    def let_pass(self, passed: Callable[[int], None]) -> None:
        """Who is told of every element."""
        self._pass = passed

    def passed(self, count: int = 1) -> None:
        if self._pass is None:
            raise Stopped
        self._pass(count)


def open_task(
    spec: ConvertSpec,
    context: WorkContext,
    new_file: Callable[[str], Path],
    clock: Clock,
    closing: ExitStack,
) -> OpenTask:
    """Open what a specification names. Raises MediaError, NotFoundError or UnavailableError."""
    if not context.contents:
        raise MediaError("this service keeps no contents, so there is nothing to convert")
    store = open_store(context.contents)
    closing.callback(store.close)
    catalogue = Catalogue(store, clock)
    given: Sequence[ConvertSource] = spec.source or ()
    sources = [opened for source in given for opened in open_sources(store, catalogue, source)]
    return OpenTask(sources, spec.request, new_file, store, catalogue, context)
