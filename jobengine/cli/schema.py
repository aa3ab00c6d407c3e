"""``jobengine schema`` and ``jobengine openapi``: the published descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jobengine.cli.options import talks_to_service
from jobengine.errors import NotFoundError

if TYPE_CHECKING:
    from jobengine.client import Client


@click.command()
@click.argument("name", required=False)
def schema(name: str | None) -> None:
    """Print the JSON Schema NAME, or the names of all. Needs no service.

    \b
    Example:
      jobengine schema job > job.schema.json
    """
    from jobengine.cli.output import to_json
    from jobengine.model.schemas import PUBLISHED, generate

    if name is None:
        click.echo("\n".join(PUBLISHED))
    elif name in PUBLISHED:
        click.echo(to_json(generate()[f"{name}.schema.json"]))
    else:
        raise NotFoundError(f"there is no schema {name!r}; known are {', '.join(PUBLISHED)}")


@click.command()
@talks_to_service
def openapi(client: Client) -> None:
    """Print the OpenAPI document of a running service.

    \b
    Example:
      jobengine openapi > openapi.json
    """
    from jobengine.cli.output import to_json

    click.echo(to_json(client.openapi()))
