"""Work kind ``convert``, driven by the runtime: one recipe, its sources, its result.

Its stream clock counts elements: one tick is one element that the recipe has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from fractions import Fraction
from typing import Any

from jobengine.clock import Clock, SystemClock
from jobengine.errors import MediaError, TimeLimitPassed
from jobengine.model.convert import ConvertSpec, read_parameters
from jobengine.model.recipe import Recipe, Result
from jobengine.model.recipes import find_recipe
from jobengine.ports.work import WorkContext, WorkOutput
from jobengine.worker.convert.keeping import Keeper
from jobengine.worker.convert.run import Run
from jobengine.worker.convert.task import OpenTask, open_task

Json = Any
BLOCK_ELEMENTS = 4096


class ConvertWork:
    """One conversion."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._closing = ExitStack()
        self._run: Run | None = None
        self._keeper: Keeper | None = None
        self._limit_ns: int | None = None
        self._timeout_ms: int | None = None
        self._told: dict[str, Json] | None = None

    @property
    def rate(self) -> Fraction:
        return Fraction(1)

    @property
    def position(self) -> int:
        return self._run.position if self._run else 0

    @property
    def is_paced(self) -> bool:
        return False

    @property
    def block_ticks(self) -> int:
        return BLOCK_ELEMENTS

    @property
    def at_end(self) -> bool:
        return self._told is not None

    @property
    def outputs(self) -> Sequence[WorkOutput]:
        if self._keeper is None or self._keeper.kept is None:
            return ()
        path = str(self._keeper.kept)
        return (WorkOutput("Result", "file", path, None, 0, None, self.position, self.at_end),)

    @property
    def result(self) -> Mapping[str, Json]:
        return self._told or {}

    def prepare(self, description: Mapping[str, Json], context: WorkContext) -> None:
        spec = ConvertSpec.model_validate(description.get("convertSpec") or {})
        if spec.recipe is None:
            raise MediaError("the job has no convertSpec with a recipe yet, so there is nothing to prepare")
        recipe_class = find_recipe(spec.recipe)
        keeper = Keeper(context, spec.target, self._clock)
        self._closing.callback(keeper.close)
        task = open_task(spec, context, keeper.new_file, self._clock, self._closing)
        self._run = Run(_body(recipe_class(), task, read_parameters(recipe_class, spec.parameters)))
        self._keeper = keeper
        self._timeout_ms = spec.timeout_ms

    def start(self, at: datetime) -> None:
        if self._timeout_ms is not None:
            self._limit_ns = self._clock.monotonic_ns() + self._timeout_ms * 1_000_000
        self._prepared[0].start()

    def apply(self, change: Mapping[str, Json]) -> None:
        """Nothing of a conversion may change; documents that try are refused when posted."""

    def advance(self, ticks: int) -> int:
        run, keeper = self._prepared
        if self._limit_ns is not None and self._clock.monotonic_ns() > self._limit_ns:
            raise TimeLimitPassed(f"the recipe has run for more than {self._timeout_ms} ms")
        done = run.advance(ticks)
        if run.has_ended and self._told is None:
            self._told = keeper.keep(run.outcome())
        return done

    def discard(self, ticks: int) -> None:
        """There is no live input."""

    def progress(self) -> dict[str, Json]:
        return {}

    def close(self) -> None:
        # A recipe that is stuck may still use the store; it ends with the process, which is about to end.
        if self._run is None or self._run.stop():
            self._closing.close()

    @property
    def _prepared(self) -> tuple[Run, Keeper]:
        if self._run is None or self._keeper is None:
            raise MediaError("the conversion has not been prepared")
        return self._run, self._keeper


def _body(recipe: Recipe, task: OpenTask, parameters: Any) -> Callable[[Callable[[int], None]], Result]:
    def body(passed: Callable[[int], None]) -> Result:
        task.let_pass(passed)
        return recipe.run(task, parameters)

    return body
