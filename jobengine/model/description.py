"""Job descriptions: what to do while in a state. Incremental: each transition stores only what changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from jobengine.model.casing import CamelModel
from jobengine.model.convert import ConvertSpec
from jobengine.model.ingest import IngestSpec
from jobengine.model.pipe import PipeSpec
from jobengine.model.restream import RestreamSpec


class OutputSwitch(CamelModel):
    """When writers change their target: at instants, or every ``interval`` (``hh:mm:ss.sss``)."""

    time: list[str] | None = None
    interval: str | None = None
    interval_on_output_graphs: bool = False


class JobDescription(CamelModel):
    """A full description or the part of one that changes. ``null`` removes a member."""

    key_synonyms: ClassVar[Mapping[str, str]] = {
        "outputswitchspec": "outputSwitch",
        "externalcontrolconfig": "externalControl",
    }

    pipe_spec: PipeSpec | None = None
    convert_spec: ConvertSpec | None = None
    restream_spec: RestreamSpec | None = None
    ingest_spec: IngestSpec | None = None
    output_switch: OutputSwitch | None = None
    database_groups: Any = None
    external_control: Any = None
