"""The shapes of answers below ``/beams``, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, RootModel

from jobengine.model.beam.elements import FrameDocument, PacketDocument
from jobengine.model.beam.formats import FormatDocument
from jobengine.model.beam.streams import StreamDocument
from jobengine.rest.shapes import CountShape, Shape


class FormatShape(FormatDocument):
    """A content as it stands."""


class StreamShape(StreamDocument):
    """A stream as it stands."""


class ElementShape(RootModel[PacketDocument | FrameDocument]):
    """A packet or a frame."""


class ElementsShape(RootModel[PacketDocument | FrameDocument | list[PacketDocument | FrameDocument]]):
    """One element if it was named by kind and pts, else a list."""


class ElementBody(RootModel[PacketDocument | FrameDocument]):
    """A packet or a frame to store."""


class NamesOrCount(RootModel[list[str] | CountShape]):
    """Names, or with ``count`` how many."""


class MergePatch(RootModel[dict[str, Any]]):
    """What changes."""


class RemovalShape(Shape):
    """What would be removed."""

    streams: int = 0
    elements: int = 0
    payload_bytes: int = 0


class RemovedShape(BaseModel):
    """How many elements were, or would be, removed."""

    deleted: int


class BatchShape(BaseModel):
    """What became of the elements of a batch."""

    created: int
    replaced: int
    repeated: int
