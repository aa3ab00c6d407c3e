"""``jobengine config``: the settings in force and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from jobengine.cli.options import data_options, rows_form


@click.group()
def config() -> None:
    """Look at the settings of a service."""


@config.command()
@data_options
@click.option("--origin", is_flag=True, help="Tell where each value comes from.")
@rows_form
def show(config: Path | None, data: Path | None, origin: bool, form: str) -> None:
    """Print the settings in force.

    \b
    Example:
      jobengine config show --config /etc/jobengine.toml --origin
    """
    from jobengine.cli.output import show_rows
    from jobengine.logs import strike_out
    from jobengine.settings import load, origins

    flags = {"data": data}
    tree = load(config, flags).model_dump(mode="json")
    found = origins(config, flags)
    rows = [
        {"key": key, "value": strike_out(value, key), "origin": found.get(key, "default")}
        for key, value in _flat(tree)
    ]
    columns = {"Key": "key", "Value": "value"} | ({"Origin": "origin"} if origin else {})
    if not origin:
        rows = [{"key": row["key"], "value": row["value"]} for row in rows]
    show_rows(form, rows, columns)


@config.command()
@data_options
def check(config: Path | None, data: Path | None) -> None:
    """Check file and environment; every wrong or unknown key is named.

    \b
    Example:
      jobengine config check --config /etc/jobengine.toml
    """
    from jobengine.settings import load

    load(config, {"data": data})
    click.echo("the settings are right", err=True)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
