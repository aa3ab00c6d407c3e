"""Query parameters of ``/beams``, written as the Beam API writes its members: with underscores.

An ``offset`` or ``limit`` that is no number counts as not given, as Beam's clients know it.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field

from jobengine.contents.look_up import Page, Terms
from jobengine.rest.parameters import Flag, Query, Text

DEFAULT_LIMIT = 10
MAX_LIMIT = 10_000
_NUMBER = re.compile(r"-?[0-9]+")


def _number_or(default: int) -> BeforeValidator:
    def read(value: Any) -> Any:
        return default if isinstance(value, str) and not _NUMBER.fullmatch(value) else value

    return BeforeValidator(read)


Offset = Annotated[int, _number_or(0), Field(ge=0, le=2**62)]
Limit = Annotated[int, _number_or(DEFAULT_LIMIT), Field(ge=1, le=MAX_LIMIT)]
Lifetime = Annotated[float, Field(gt=0, le=1e10)]


class BeamQuery(Query):
    """Base of the queries."""

    model_config = ConfigDict(alias_generator=None)


class ContentsQuery(BeamQuery):
    """Which contents to list."""

    offset: Offset = Field(
        0,
        validation_alias=AliasChoices("offset", "start"),
        description="Contents to leave out at the beginning; `start` in the Beam Engine's own documents.",
    )
    limit: Limit = Field(DEFAULT_LIMIT, description="Contents to answer at most.")
    count: Flag = Field(False, description="Answer only how many there are.")
    filter: Text | None = Field(
        None, description='Such as `type == "demuxer" AND metadata.title ~ "news*" AND name ~ "2026"`.'
    )


class RemovalQuery(BeamQuery):
    """Whether to remove, or only to tell what that would remove."""

    dry_run: Flag = Field(False, description="Remove nothing; tell what would go.")


class PayloadReadQuery(BeamQuery):
    """Whether reading a payload renews it."""

    keep_s: Lifetime | None = Field(
        None, description="Seconds for which the payload stays from now on at least, if it has an end."
    )


class ElementQuery(PayloadReadQuery):
    """How a media reference is meant, and which of its elements are wanted."""

    offset: Offset = Field(0, description="Elements of a range to leave out at the beginning.")
    limit: Limit = Field(DEFAULT_LIMIT, description="Elements of a range to answer at most.")
    max_distance: int | None = Field(
        None, ge=0, le=2**63 - 1, description="How many ticks the nearest may be away (`42f`)."
    )
    tolerance_ms: Literal["half"] | Annotated[float, Field(ge=0, le=60_000)] | None = Field(
        None, description="How far an element may be from a real time; `half`: half of its own duration."
    )
    clamp: Flag = Field(False, description="`+nd` and `-nd` stop at the last and the first element.")
    key: Flag = Field(False, description="The key element at or before; a range begins with it.")
    wait: int = Field(0, ge=0, description="Milliseconds to wait for the element if it is not there yet.")
    ids: Flag = Field(False, description="Show the id of every element.")

    def page(self) -> Page:
        """Which part of a range is wanted."""
        return Page(self.offset, self.limit)

    def terms(self, tolerance_ms: float) -> Terms:
        """How the reference is meant; ``tolerance_ms`` if the query does not say."""
        given = tolerance_ms if self.tolerance_ms is None else self.tolerance_ms
        tolerance = None if given == "half" else Fraction(str(given)) / 1000
        return Terms(tolerance, self.max_distance, self.clamp, self.key)


class ElementRemovalQuery(RemovalQuery):
    """Which elements to remove."""

    tolerance_ms: Annotated[float, Field(ge=0, le=60_000)] | None = Field(
        None, description="How far an element may be from a real time."
    )


class PayloadQuery(BeamQuery):
    """How long a payload is kept."""

    expires_s: Lifetime | None = Field(None, description="Seconds until the payload may go.")


class BatchQuery(PayloadQuery):
    """How a batch meets what is there."""

    mode: Literal["append", "replace", "create"] = Field(
        "replace",
        description="What an element of the same pts and kind means: one more, a replacement, or a conflict.",
    )


class FeedQuery(BeamQuery):
    """From where to follow a stream."""

    last_event_id: int | None = Field(
        None, ge=-1, le=2**63 - 1, description="Replay what came after it; as the header Last-Event-ID."
    )
    ids: Flag = Field(False, description="Show the id of every element.")
