"""The published JSON Schemas, generated from the models. ``make schemas`` writes them to ``schemas/``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from jobengine.model.beam.elements import FrameDocument, PacketDocument
from jobengine.model.beam.formats import FormatDocument
from jobengine.model.beam.streams import StreamDocument
from jobengine.model.description import JobDescription
from jobengine.model.document import (
    EventDocument,
    JobDocument,
    JobPatch,
    JobUpdate,
    TemplateDocument,
    TransitionDocument,
)

DRAFT = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED: dict[str, type[BaseModel]] = {
    "job": JobDocument,
    "job-update": JobUpdate,
    "job-patch": JobPatch,
    "transition": TransitionDocument,
    "job-description": JobDescription,
    "event": EventDocument,
    "template": TemplateDocument,
    "beam-format": FormatDocument,
    "beam-stream": StreamDocument,
    "beam-packet": PacketDocument,
    "beam-frame": FrameDocument,
}


def generate() -> dict[str, dict[str, Any]]:
    """Every schema by its file name."""
    return {f"{name}.schema.json": _schema(model) for name, model in PUBLISHED.items()}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": DRAFT, **model.model_json_schema(by_alias=True, mode="validation")}
