"""The ingest specification: which socket is listened to, and which contents what comes is recorded into.

Every member is optional, because descriptions are incremental; `check_ingest` says whether an effective
specification is complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field, model_validator

from jobengine.errors import Fault
from jobengine.model.casing import CamelModel
from jobengine.model.roots import MediaRoots
from jobengine.model.sink import SinkKind, SinkSpec, check_sink, kind_of_sink
from jobengine.model.socket_options import SourceOptions
from jobengine.model.socket_url import SocketUrlRefused, reader_url
from jobengine.model.topic_filter import TopicFilter

SOURCE_PLACEHOLDER = "{source}"


class SourceTerms(CamelModel):
    """Limits of the socket.

    ``receiveHwm`` messages of each writer wait in memory. ``routingIds`` topics are remembered with their
    newest writer. A topic of another protocol version is shut out for ``blockS`` seconds.
    """

    receive_hwm: int = Field(
        1000, ge=1, le=1_000_000, description="How many messages of each writer wait in memory."
    )
    routing_ids: int = Field(
        512, ge=1, le=1_000_000, description="How many topics are remembered with their newest writer."
    )
    block_s: float = Field(
        10.0,
        ge=0,
        le=86_400,
        description="For how long a topic of another protocol version is shut out, in seconds.",
    )

    def socket_options(self) -> SourceOptions:
        """The same as options of a socket."""
        return SourceOptions(receive_hwm=self.receive_hwm, routing_ids=self.routing_ids, block_s=self.block_s)


class SourceSpec(CamelModel):
    """Where messages come from: a ``router``, ``rep`` or ``sub`` socket."""

    url: str | None = Field(
        None,
        min_length=1,
        max_length=2000,
        description="A socket to listen to, such as router+bind:tcp://127.0.0.1:5555.",
    )
    options: SourceTerms | None = Field(None, description="Limits; left out, the defaults.")


class TopicsSpec(CamelModel):
    """Which topics are taken: exactly one ``source``, or those that begin with a ``prefix``."""

    source: str | None = Field(None, min_length=1, max_length=255, description="The one topic that is taken.")
    prefix: str | None = Field(
        None, min_length=1, max_length=255, description="How the topics begin that are taken."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> TopicsSpec:
        if (self.source is None) == (self.prefix is None):
            raise ValueError("must hold either source or prefix")
        return self

    def topic_filter(self) -> TopicFilter:
        """The same as a filter."""
        if self.source is not None:
            return TopicFilter(source=self.source.encode())
        return TopicFilter(prefix=(self.prefix or "").encode())


class RetentionSpec(CamelModel):
    """How much payload of each recorded stream is kept; metadata stays. For contents made by this job."""

    payload_age_s: float | None = Field(
        None, gt=0, le=1e12, description="How long payload is kept, in seconds."
    )
    payload_bytes: int | None = Field(
        None, ge=1, le=2**63 - 1, description="How much payload is kept, in bytes of each stream."
    )


class PassThroughSpec(CamelModel):
    """Where messages are sent on to as they came. What the sink doesn't take in time is left out."""

    sink: SinkSpec | None = Field(None, description="A socket.")
    metadata_only: bool = Field(False, description="Passes on no payload.")


class IngestSpec(CamelModel):
    """What an ingest job records.

    ``content`` is the name of the content for each source, ``{source}`` standing for its id; sources with
    one content become streams of it. ``metadataOnly`` keeps no payload. At most ``maxSources`` are recorded.
    """

    source: SourceSpec | None = Field(None, description="Where messages come from.")
    topics: TopicsSpec | None = Field(None, description="Which topics are taken; left out, all.")
    codec: Literal["native", "savant"] = Field(
        "native", description="How messages are read: our own, or those of Savant."
    )
    content: str = Field(
        SOURCE_PLACEHOLDER,
        min_length=1,
        max_length=400,
        description="Name of the content of each source; {source} stands for its id.",
    )
    retention: RetentionSpec | None = Field(None, description="How much is kept; left out, everything.")
    metadata_only: bool = Field(False, description="Keeps no payload.")
    max_sources: int = Field(
        1024, ge=1, le=65_536, description="How many sources are recorded at most; further ones are left out."
    )
    pass_through: PassThroughSpec | None = Field(None, description="Where messages are sent on to.")


def check_ingest(spec: IngestSpec, roots: MediaRoots) -> list[Fault]:
    """Everything that keeps an effective specification from being run; pointers are relative to it."""
    faults = [Fault("/source/url", detail) for detail in _source_faults(spec, roots)]
    if any(mark in spec.content.replace(SOURCE_PLACEHOLDER, "") for mark in "{}"):
        faults.append(Fault("/content", f"may hold no braces but those of {SOURCE_PLACEHOLDER}"))
    if spec.pass_through is not None:
        faults += _pass_through_faults(spec.pass_through.sink, roots)
    return faults


def _source_faults(spec: IngestSpec, roots: MediaRoots) -> Iterator[str]:
    if spec.source is None or spec.source.url is None:
        yield "is missing; a socket to listen to, such as router+bind:tcp://127.0.0.1:5555"
        return
    try:
        url = reader_url(spec.source.url)
    except SocketUrlRefused as refused:
        yield str(refused)
        return
    if url.is_bind and url.ipc_path:
        path = PurePosixPath(url.ipc_path)
        if not any(root in path.parents for root in roots.allowed):
            allowed = ", ".join(map(str, roots.allowed))
            yield f"binds a path outside the allowed folders ({allowed})"


def _pass_through_faults(sink: SinkSpec | None, roots: MediaRoots) -> Iterator[Fault]:
    for fault in check_sink(sink, roots):
        yield Fault(f"/passThrough/sink{fault.pointer}", fault.detail)
    if sink is not None and sink.url and kind_of_sink(sink.url) is not SinkKind.SOCKET:
        yield Fault("/passThrough/sink/url", "is not a socket; messages are passed on to sockets only")
