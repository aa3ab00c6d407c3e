"""Why a re-streaming job fails: each reason has a code of its own, so that programs can tell them apart."""

from __future__ import annotations

from jobengine.errors import MediaError


class AnchorNotFound(MediaError):
    """The anchor did not appear in time."""

    code = "anchor-not-found"
    title = "The anchor was not found"


class SourceGone(MediaError):
    """The stored stream was removed under the job."""

    code = "source-gone"
    title = "The stored stream is gone"


class SourceIdle(MediaError):
    """No further element came in time."""

    code = "idle"
    title = "No further element came in time"


class SourceGap(MediaError):
    """Elements are gone from the store, and the job is not to go on without them."""

    code = "gap"
    title = "Elements are gone from the store"


class DeliveryTimeout(MediaError):
    """The sink did not take an element in time."""

    code = "delivery"
    title = "The sink did not take an element in time"


class IncorrectTimestamp(MediaError):
    """A timestamp falls back, and the job is to stop there."""

    code = "incorrect-timestamp"
    title = "A timestamp falls back"


class TimestampBeyond(MediaError):
    """A timestamp that was to be moved leaves the range of timestamps."""

    code = "timestamp-range"
    title = "A timestamp is out of range"


class AttributeTaken(MediaError):
    """An element has an attribute already that the job was to add."""

    code = "attribute-collision"
    title = "An attribute is there already"
