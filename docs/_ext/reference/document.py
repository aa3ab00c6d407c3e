"""The job document page, from the published JSON Schemas."""

from __future__ import annotations

from typing import Any

from jobengine.model.schemas import generate
from rst import heading, literal, prose, table

Schema = dict[str, Any]


def kind(schema: Schema) -> str:
    """What a value may be, in a few words."""
    if "$ref" in schema:
        return f":ref:`{schema['$ref'].rpartition('/')[2]} <document-{schema['$ref'].rpartition('/')[2]}>`"
    if "const" in schema:
        return literal(schema["const"])
    if "enum" in schema:
        return ", ".join(literal(value) for value in schema["enum"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(dict.fromkeys(kind(part) for part in schema[word] if part))
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    return str(schema.get("type", "anything")) + limits(schema)


def limits(schema: Schema) -> str:
    """The range of a number or the length of a text."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return f", at most {high}" if high is not None else ""


def members(schema: Schema) -> str:
    """One row for each member of an object."""
    required = set(schema.get("required", ()))
    rows = [
        (
            literal(name),
            kind(part),
            "required" if name in required else literal(part["default"]) if part.get("default") else "",
            prose(part.get("description", "")),
        )
        for name, part in schema.get("properties", {}).items()
    ]
    return table(("Member", "Value", "Default", "Meaning"), rows) if rows else ""


def section(name: str, schema: Schema) -> str:
    """One object or enumeration."""
    text = f".. _document-{name}:\n\n" + heading(name, "-")
    text += prose(schema.get("description", "")) + "\n\n"
    return text + (members(schema) or f"One of: {kind(schema)}.\n\n")


def render() -> str:
    """The document of a job and everything in it."""
    schema = generate()["job.schema.json"]
    text = heading("Job document") + (
        "Names are accepted in any case and come back in camelCase; numbers and booleans may be given as\n"
        "text. An unknown name is an error. The JSON Schemas are in ``schemas/`` and\n"
        "served at ``/api/schemas/``.\n\n"
    )
    text += section("JobDocument", schema)
    for name, part in sorted(schema.get("$defs", {}).items()):
        text += section(name, part)
    return text
