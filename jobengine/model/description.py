"""Job descriptions: what to do while in a state. Incremental: each transition stores only what changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from jobengine.model.casing import CamelModel
from jobengine.model.convert import ConvertSpec
from jobengine.model.ingest import IngestSpec
from jobengine.model.pipe import PipeSpec
from jobengine.model.restream import RestreamSpec


class OutputSwitch(CamelModel):
    """When writers change their target: at instants, or every ``interval`` (``hh:mm:ss.sss``)."""

    time: list[str] | None = Field(None, description="Instants, ISO 8601.")
    interval: str | None = Field(None, description="A time span hh:mm:ss.sss between two switches.")
    interval_on_output_graphs: bool = Field(
        False, description="Counts each output's own stream time, without pauses, instead of the input's."
    )


class JobDescription(CamelModel):
    """A full description or the part of one that changes. ``null`` removes a member."""

    key_synonyms: ClassVar[Mapping[str, str]] = {
        "outputswitchspec": "outputSwitch",
        "externalcontrolconfig": "externalControl",
    }

    pipe_spec: PipeSpec | None = Field(
        None, description="Work of kind pipe: sound from inputs through a mixer to outputs."
    )
    convert_spec: ConvertSpec | None = Field(
        None, description="Work of kind convert: something made of elements of a content."
    )
    restream_spec: RestreamSpec | None = Field(
        None, description="Work of kind restream: a stored stream sent to a sink."
    )
    ingest_spec: IngestSpec | None = Field(
        None, description="Work of kind ingest: streams recorded from a socket into contents."
    )
    output_switch: OutputSwitch | None = Field(None, description="When writers change to a new file.")
    database_groups: Any = Field(None, description="ROAD's database groups; kept, and not interpreted.")
    external_control: Any = Field(None, description="ROAD's external control; kept, and not interpreted.")
