"""Work kind ``pipe``: sources, mixer and outputs of `jobengine.media.pipe`, driven by the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import structlog

from jobengine.clock import SystemClock
from jobengine.errors import MediaError
from jobengine.media.pipe import Pipe, PipeContext
from jobengine.media.riff import measure_output
from jobengine.model.kind import MERGE_KEYS
from jobengine.model.merge import merge
from jobengine.model.pipe import PipeSpec
from jobengine.ports.work import WorkContext, WorkOutput
from jobengine.worker.pipe_contents import PipeContents

_NOT_PREPARED = "the pipe has not been prepared"


class PipeWork:
    """Audio: any number of inputs, a mixer, any number of outputs."""

    def __init__(self) -> None:
        self._pipe: Pipe | None = None
        self._rate = Fraction(1)
        self._contents: PipeContents | None = None
        self._description: dict[str, Any] = {}
        self._log = structlog.get_logger("pipe")

    @property
    def rate(self) -> Fraction:
        return self._rate

    @property
    def position(self) -> int:
        return self._pipe.position if self._pipe else 0

    @property
    def is_paced(self) -> bool:
        return self._opened.is_live

    @property
    def block_ticks(self) -> int:
        return self._opened.block_samples

    @property
    def at_end(self) -> bool:
        return self._opened.at_end

    @property
    def outputs(self) -> Sequence[WorkOutput]:
        if self._pipe is None:
            return ()
        return [
            WorkOutput(o.graph, o.kind, o.path, o.url, o.start_position, o.samples, None, o.closed)
            for o in self._pipe.outputs
        ]

    def prepare(self, description: Mapping[str, Any], context: WorkContext) -> None:
        self._description = dict(description)
        specification = self._specification()
        if not specification.input_graph:
            raise MediaError("the job has no pipeSpec with an inputGraph yet, so there is nothing to prepare")
        self._contents = PipeContents(context, SystemClock()) if context.contents else None
        surroundings = PipeContext(
            roots=context.roots,
            host=context.host,
            resume_position=self._resume_position(context, specification),
            contents=self._contents,
        )
        self._pipe = Pipe.prepare(specification, surroundings)
        self._rate = Fraction(self._pipe.sample_rate)

    def start(self, at: datetime) -> None:
        self._opened.start(at)

    def apply(self, change: Mapping[str, Any]) -> None:
        before = self._specification().mixer
        self._description = merge(self._description, change, MERGE_KEYS)
        mixer = self._specification().mixer
        if mixer != before:
            self._opened.set_mixer(mixer)

    def advance(self, ticks: int) -> int:
        return self._opened.advance(ticks)

    def discard(self, ticks: int) -> None:
        self._opened.discard(ticks)

    def progress(self) -> dict[str, Any]:
        if self._pipe is None:
            return {}
        levels = {
            graph: [{"peakDbfs": c.peak_dbfs, "rmsDbfs": c.rms_dbfs} for c in channels]
            for graph, channels in self._pipe.take_levels().items()
        }
        return {"levels": levels, "drops": self._pipe.drops}

    @property
    def result(self) -> Mapping[str, Any]:
        """The stretches of contents that were not there, by input graph, in seconds of the content."""
        holes = self._pipe.holes if self._pipe else {}
        found = {
            graph: [{"fromS": begin, "toS": end} for begin, end in stretches]
            for graph, stretches in holes.items()
        }
        return {"missing": found} if found else {}

    def close(self) -> None:
        try:
            if self._pipe is not None:
                self._pipe.close()
        finally:
            if self._contents is not None:
                self._contents.close()

    @property
    def _opened(self) -> Pipe:
        if self._pipe is None:
            raise MediaError(_NOT_PREPARED)
        return self._pipe

    def _specification(self) -> PipeSpec:
        return PipeSpec.model_validate(self._description.get("pipeSpec") or {})

    def _resume_position(self, context: WorkContext, specification: PipeSpec) -> int:
        """After the last sample on disk: the outputs tell better than a heartbeat how far it got."""
        ends = {
            graph: start + samples
            for graph, path, start in context.previous_outputs
            if (samples := self._samples(path))
        }
        recorded = self._contents.recorded(specification) if self._contents else {}
        position = min((ends | recorded).values(), default=context.resume_position)
        return self._contents.rewind(specification, position) if self._contents else position

    def _samples(self, path: Path) -> int:
        try:
            return measure_output(path)
        except MediaError as error:
            self._log.warning("output.not_measured", path=str(path), detail=error.detail)
            return 0
