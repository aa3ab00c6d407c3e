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
from jobengine.model.recipe import Request, Stopped, Task
from jobengine.ports.contents import ContentStore
from jobengine.ports.work import WorkContext
from jobengine.worker.convert.copy_places import CopyPlaces
from jobengine.worker.convert.sources import open_sources


class OpenTask:
    """A `jobengine.model.recipe.Task`; the store and what is told of it are for our own recipes."""

    def __init__(
        self,
        spec: ConvertSpec,
        store: ContentStore,
        context: WorkContext,
        new_file: Callable[[str], Path],
        clock: Clock,
    ) -> None:
        self.store = store
        self.catalogue = Catalogue(store, clock)
        self.context = context
        self.places = CopyPlaces(context.roots, context.copy_urls)
        self.clock = clock
        self.request: Request | None = spec.request
        self.new_file = new_file
        given: Sequence[ConvertSource] = spec.source or ()
        self.contents = [source.content for source in given]
        """The contents that are named, whether they have streams or not."""
        self.sources = [one for source in given for one in open_sources(store, self.catalogue, source)]
        self._pass: Callable[[int], None] | None = None

    def let_pass(self, passed: Callable[[int], None]) -> None:
        """Who is told of every element."""
        self._pass = passed

    def passed(self, count: int = 1) -> None:
        if self._pass is None:
            raise Stopped
        self._pass(count)

    def close(self) -> None:
        """End its connections; the store is its opener's."""
        self.places.close()


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
    task = OpenTask(spec, store, context, new_file, clock)
    closing.callback(task.close)
    return task


def own(task: Task) -> OpenTask:
    """The task with its store, for recipes that come with jobengine."""
    if not isinstance(task, OpenTask):
        raise TypeError("this recipe runs in a convert job only")
    return task
