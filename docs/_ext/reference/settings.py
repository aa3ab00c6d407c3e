"""The settings page, from the settings tree."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from jobengine.settings import DELIMITER, PREFIX, Settings
from rst import heading, literal, prose, table


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting with the names that lead to it."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, (*path, name))
        else:
            yield (*path, name), field


def default(field: FieldInfo) -> str:
    """The default in words; one that depends on the host is not computed here."""
    if field.default_factory is not None:
        return "depends on the host"
    return "none" if field.default in (None, ()) else literal(field.default)


def render() -> str:
    """One row for each setting."""
    rows = [
        (
            literal(".".join(path)),
            literal(PREFIX + DELIMITER.join(path).upper()),
            default(field),
            prose(field.description or ""),
        )
        for path, field in leaves(Settings)
    ]
    return (
        heading("Settings")
        + "A flag wins over the environment, which wins over the file given by ``--config`` (TOML),\n"
        "which wins over the default. An unknown name is an error.\n\n"
        + table(("In the file", "In the environment", "Default", "Meaning"), rows)
    )
