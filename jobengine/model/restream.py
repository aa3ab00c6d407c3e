"""The re-streaming specification: what is read where, sent where, from when on, how fast, and how it ends.

Every member is optional, because descriptions are incremental; `check_restream` says whether an effective
specification is complete. When a job stops is no member: its stop conditions are pending transitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from jobengine.errors import Fault
from jobengine.model.anchor import Anchor, Offset
from jobengine.model.casing import CamelModel
from jobengine.model.element import ElementKind
from jobengine.model.message import Rewrite
from jobengine.model.pacing import PacingSpec
from jobengine.model.roots import MediaRoots
from jobengine.model.sink import SinkSpec, check_sink, content_of, is_content

MAX_WAIT_MS = 30 * 24 * 3600 * 1000
STREAM_NAME_BYTES_MAX = 255
CHANGEABLE = frozenset(
    {
        "anchor",
        "anchorWaitMs",
        "atEnd",
        "attributeCollision",
        "attributes",
        "endOfStream",
        "labels",
        "loops",
        "maxDeliveryMs",
        "maxIdleMs",
        "metadataOnly",
        "offset",
        "onGap",
        "onIdle",
        "pacing",
        "routingLabels",
    }
)
"""Members that may change while the job runs; a posted ``anchor`` or ``offset`` makes it seek."""

Text = Annotated[str, Field(max_length=1024)]
Label = Annotated[str, Field(min_length=1, max_length=1024)]


class StreamSource(CamelModel):
    """A stream of a content in the store. ``elements``: packets or frames, where it has both; left out, the
    kind of the element that the job begins with."""

    content: str | None = Field(None, min_length=1, max_length=1024)
    stream: int = Field(0, ge=0, lt=1 << 16)
    elements: Literal["packets", "frames"] | None = None

    @property
    def element_kind(self) -> ElementKind | None:
        """The kind asked for."""
        kinds = {"packets": ElementKind.PACKET, "frames": ElementKind.FRAME}
        return kinds[self.elements] if self.elements else None


class RoutingLabels(CamelModel):
    """Either ``replace`` those of an element or ``append`` to them; leave it out to let them pass."""

    replace: list[Label] | None = Field(None, max_length=1000)
    append: list[Label] | None = Field(None, max_length=1000)

    @model_validator(mode="after")
    def _exactly_one(self) -> RoutingLabels:
        if (self.replace is None) == (self.append is None):
            raise ValueError("must hold either replace or append")
        return self


class AttributeValue(CamelModel):
    """One value: ``value`` is an object with one member, named by its type as Savant names it."""

    confidence: float | None = None
    value: dict[str, Any] = Field(min_length=1, max_length=1)


class Attribute(CamelModel):
    """Something said of every element of media that is sent."""

    namespace: str = Field(min_length=1, max_length=255)
    name: str = Field(min_length=1, max_length=255)
    values: list[AttributeValue] = Field(default_factory=list, max_length=10_000)
    hint: Text | None = None
    is_persistent: bool = True
    is_hidden: bool = False


class EndOfStream(CamelModel):
    """When ends of stream are sent.

    ``skipIntermediary`` leaves those out that are stored amid the stream. A last one follows when the job
    finishes (``onFinish``), fails (``onFailure``) or is cancelled (``onCancel``).
    """

    skip_intermediary: bool = False
    on_finish: bool = True
    on_failure: bool = False
    on_cancel: bool = False


class RestreamSpec(CamelModel):
    """What a re-streaming job does.

    ``anchorWaitMs``: how long to wait for the anchor to appear. ``maxIdleMs``: how long to wait for the
    next element; then ``onIdle``: the job fails, or finishes. ``maxDeliveryMs``: how long an element may
    take to be delivered, all attempts together. ``atEnd``: at the end of a recording that has ended the
    job finishes, or waits as for any element. ``loops``: how often all of it is sent; 0: again and again.
    ``onGap``: elements that are gone from the store are skipped and counted, or the job fails.
    ``labels`` mean nothing here; they are for those who look at jobs.
    """

    source: StreamSource | None = None
    resulting_stream: str | None = Field(None, min_length=1)
    sink: SinkSpec | None = None
    anchor: Anchor | None = None
    anchor_wait_ms: float = Field(0.0, ge=0, le=MAX_WAIT_MS)
    offset: Offset | None = None
    pacing: PacingSpec | None = None
    max_idle_ms: float = Field(10_000.0, gt=0, le=MAX_WAIT_MS)
    on_idle: Literal["fail", "finish"] = "fail"
    max_delivery_ms: float = Field(10_000.0, gt=0, le=MAX_WAIT_MS)
    at_end: Literal["finish", "wait"] = "finish"
    loops: int = Field(1, ge=0, le=1_000_000_000)
    on_gap: Literal["skip", "fail"] = "skip"
    metadata_only: bool = False
    routing_labels: RoutingLabels | None = None
    attributes: list[Attribute] | None = Field(None, max_length=1000)
    attribute_collision: Literal["replace", "keep", "fail"] = "replace"
    labels: dict[str, Text] | None = None
    end_of_stream: EndOfStream | None = None

    def rewrite(self) -> Rewrite:
        """What changes in every element."""
        labels = self.routing_labels
        return Rewrite(
            labels=None if labels is None else tuple(labels.replace or labels.append or ()),
            append=labels is not None and labels.append is not None,
            attributes=tuple(each.model_dump(mode="json", by_alias=True) for each in self.attributes or ()),
            collision=self.attribute_collision,
        )


def check_restream(spec: RestreamSpec, roots: MediaRoots) -> list[Fault]:
    """Everything that keeps an effective specification from being run; pointers are relative to it."""
    faults = [Fault(f"/sink{fault.pointer}", fault.detail) for fault in check_sink(spec.sink, roots)]
    if spec.source is None or spec.source.content is None:
        faults.append(Fault("/source/content", "is missing; the name of a content to read from"))
    if spec.anchor is None:
        text = "is missing; an object with key, element, time or pts, or one of first, latest and start"
        faults.append(Fault("/anchor", text))
    return [*faults, *_circle_faults(spec), *_stream_faults(spec), *_attribute_faults(spec)]


def _circle_faults(spec: RestreamSpec) -> Iterator[Fault]:
    """A stream that is copied behind its own end never ends."""
    source, url = spec.source, spec.sink.url if spec.sink else None
    if source is None or url is None or not is_content(url):
        return
    if content_of(url) == (source.content, source.stream):
        yield Fault("/sink/url", "is the stream that is read; a copy needs another content or index")


def _stream_faults(spec: RestreamSpec) -> Iterator[Fault]:
    name = spec.resulting_stream
    if name is None:
        yield Fault("/resultingStream", "is missing; the name under which elements are sent")
    elif len(name.encode()) > STREAM_NAME_BYTES_MAX or not name.isprintable():
        text = f"must be printable text of at most {STREAM_NAME_BYTES_MAX} bytes"
        yield Fault("/resultingStream", text)


def _attribute_faults(spec: RestreamSpec) -> Iterator[Fault]:
    seen: set[tuple[str, str]] = set()
    for index, attribute in enumerate(spec.attributes or ()):
        name = (attribute.namespace, attribute.name)
        if name in seen:
            yield Fault(f"/attributes/{index}", f"{'/'.join(name)} is there twice")
        seen.add(name)
