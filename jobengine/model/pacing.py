"""How fast a re-streaming job sends: the document, with the defaults of every member."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from jobengine.model.casing import CamelModel

MAX_PAUSE_MS = 24 * 3600 * 1000
SPEEDS = (0.01, 100.0)


class PacingSpec(CamelModel):
    """The pause between an element and the next.

    It is the step of their timestamps (dts, or pts where there is none) divided by ``speed``, or
    ``discrepancyFixMs`` where the timestamp falls back; then at least ``minDurationMs`` and at most
    ``maxDurationMs``. The first element has a step of nothing.

    ``mode``: ``absolute`` adds the pauses up to a schedule and makes lost time good; ``upstream`` counts
    each pause from the element before, as Savant Replay does, and never catches up; ``fast`` waits for
    nothing. ``stopOnIncorrectTs`` fails the job where a timestamp falls back. ``reorder``: so many
    elements below the highest timestamp are only out of order (pictures coded out of order, in a stream
    without dts), and no discrepancy.
    """

    mode: Literal["absolute", "upstream", "fast"] = Field(
        "absolute", description="absolute makes lost time good, upstream never does, fast waits for nothing."
    )
    speed: float = Field(
        1.0, ge=SPEEDS[0], le=SPEEDS[1], description="How many seconds of media go by in one second."
    )
    min_duration_ms: float = Field(0.0, ge=0, le=MAX_PAUSE_MS, description="Shortest pause, in milliseconds.")
    max_duration_ms: float = Field(
        float(MAX_PAUSE_MS), ge=0, le=MAX_PAUSE_MS, description="Longest pause, in milliseconds."
    )
    discrepancy_fix_ms: float = Field(
        1000 / 30,
        ge=0,
        le=MAX_PAUSE_MS,
        description="The pause where a timestamp falls back, in milliseconds.",
    )
    stop_on_incorrect_ts: bool = Field(False, description="Fails the job where a timestamp falls back.")
    reorder: int = Field(
        0, ge=0, le=64, description="How many elements below the highest timestamp are only out of order."
    )

    @model_validator(mode="after")
    def _bounds_in_order(self) -> PacingSpec:
        if self.min_duration_ms > self.max_duration_ms:
            low, high = self.min_duration_ms, self.max_duration_ms
            raise ValueError(f"minDurationMs ({low:g}) is more than maxDurationMs ({high:g})")
        return self
