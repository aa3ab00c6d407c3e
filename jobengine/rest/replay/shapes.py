"""The shapes of the dialect's answers and the parameters of its addresses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from jobengine.rest.parameters import Query

Json = Any


class Shape(BaseModel):
    """Base of the answers. Built when the document is made, not at every start."""

    model_config = ConfigDict(defer_build=True)


class Word(RootModel[str]):
    """A bare word as JSON."""


class NewJobShape(Shape):
    """The id of a job that was made."""

    new_job: str


class JobsShape(Shape):
    """Jobs that have not ended: id, configuration, what is left of the stop condition.

    ``queued``, if there are such: by id, what a job waits for before it may begin, and its place.
    """

    jobs: list[list[Json]]
    queued: dict[str, Json] | None = None


class StoppedShape(Shape):
    """Jobs that have ended: id, configuration, null or why they failed."""

    stopped_jobs: list[list[Json]]


class KeyframesShape(Shape):
    """The source and the ids of its keyframes, oldest first."""

    keyframes: list[Json]


class JobsQuery(Query):
    """Which job to list."""

    job: str | None = Field(None, max_length=64, description="Only this job.")


class KeyframeQuery(Query):
    """Which source a keyframe is of, and how its metadata is wanted."""

    model_config = ConfigDict(alias_generator=None)

    source_id: str = Field(min_length=1, max_length=255, description="The source.")
    metadata_format: Literal["native", "json"] = Field(
        "native", description="native: the whole message as protobuf; json: the frame alone."
    )
