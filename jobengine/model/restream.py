"""The re-streaming specification: what is read where, sent where, from when on, how fast, and how it ends.

Every member is optional, because descriptions are incremental; `check_restream` says whether an effective
specification is complete. When a job stops is no member: its stop conditions are pending transitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from jobengine.errors import Fault
from jobengine.model.anchor import Anchor, Offset
from jobengine.model.attribute import Attribute
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
        "onUndelivered",
        "pacing",
        "routingLabels",
        "timestamps",
    }
)
"""Members that may change while the job runs; a posted ``anchor`` or ``offset`` makes it seek."""

Text = Annotated[str, Field(max_length=1024)]
Label = Annotated[str, Field(min_length=1, max_length=1024)]
Timestamps = Literal["preserve", "rebase", "contiguous", "live"]


class StreamSource(CamelModel):
    """A stream of a content in the store. ``elements``: packets or frames, where it has both; left out, the
    kind of the element that the job begins with."""

    content: str | None = Field(None, min_length=1, max_length=1024, description="Name of the content.")
    stream: int = Field(0, ge=0, lt=1 << 16, description="The stream's number.")
    elements: Literal["packets", "frames"] | None = Field(
        None, description="Which of the two, where a stream has both."
    )

    @property
    def element_kind(self) -> ElementKind | None:
        """The kind asked for."""
        kinds = {"packets": ElementKind.PACKET, "frames": ElementKind.FRAME}
        return kinds[self.elements] if self.elements else None


class RoutingLabels(CamelModel):
    """Either ``replace`` those of an element or ``append`` to them; leave it out to let them pass."""

    replace: list[Label] | None = Field(
        None, max_length=1000, description="The labels in place of an element's own."
    )
    append: list[Label] | None = Field(None, max_length=1000, description="Labels after an element's own.")

    @model_validator(mode="after")
    def _exactly_one(self) -> RoutingLabels:
        if (self.replace is None) == (self.append is None):
            raise ValueError("must hold either replace or append")
        return self


class EndOfStream(CamelModel):
    """When ends of stream are sent: those that are stored amid the stream, and a last one of the job."""

    skip_intermediary: bool = Field(
        False, description="Leaves out ends of stream that are stored amid the stream."
    )
    on_finish: bool = Field(True, description="Sends one when the job finishes.")
    on_failure: bool = Field(False, description="Sends one when the job fails.")
    on_cancel: bool = Field(False, description="Sends one when the job is cancelled.")


class RestreamSpec(CamelModel):
    """What a re-streaming job does."""

    source: StreamSource | None = Field(None, description="The stream to read.")
    resulting_stream: str | None = Field(
        None, min_length=1, description="The name under which elements are sent."
    )
    sink: SinkSpec | None = Field(None, description="Where elements go.")
    anchor: Anchor | None = Field(None, description="Where to begin.")
    anchor_wait_ms: float = Field(
        0.0, ge=0, le=MAX_WAIT_MS, description="How long to wait for the anchor to appear."
    )
    offset: Offset | None = Field(None, description="How far before the anchor to begin.")
    pacing: PacingSpec | None = Field(None, description="How fast.")
    timestamps: Timestamps = Field(
        "preserve",
        description="What becomes of dts and pts. preserve: nothing. rebase: the first element has 0, as has "
        "each round and each place that is sought. contiguous: from 0 on without a fall or a leap. live: the "
        "same, from the wall time on.",
    )
    max_idle_ms: float = Field(
        10_000.0, gt=0, le=MAX_WAIT_MS, description="How long to wait for the next element."
    )
    on_idle: Literal["fail", "finish"] = Field("fail", description="What follows when it does not come.")
    max_delivery_ms: float = Field(
        10_000.0,
        gt=0,
        le=MAX_WAIT_MS,
        description="How long an element may take to be delivered, all attempts together.",
    )
    on_undelivered: Literal["fail", "skip"] = Field(
        "fail",
        description="What follows when it takes longer; what is left out is counted.",
    )
    at_end: Literal["finish", "wait"] = Field(
        "finish", description="What follows at the end of a recording that has ended."
    )
    loops: int = Field(
        1, ge=0, le=1_000_000_000, description="How often all of it is sent; 0: again and again."
    )
    on_gap: Literal["skip", "fail"] = Field(
        "skip", description="What follows where elements are gone from the store."
    )
    metadata_only: bool = Field(False, description="Sends no payload.")
    routing_labels: RoutingLabels | None = Field(
        None, description="What becomes of the elements' routing labels; left out, they pass."
    )
    attributes: list[Attribute] | None = Field(
        None, max_length=1000, description="What is said of every element of media."
    )
    attribute_collision: Literal["replace", "keep", "fail"] = Field(
        "replace",
        description="Which one counts where an element has an attribute already, or that the job fails.",
    )
    labels: dict[str, Text] | None = Field(
        None, description="For those who look at jobs; they mean nothing here."
    )
    end_of_stream: EndOfStream | None = Field(None, description="When ends of stream are sent.")

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
    """A stream that is copied after its own end never ends."""
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
