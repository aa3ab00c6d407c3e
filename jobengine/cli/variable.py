"""``jobengine variable``: values for ``${Var:Name}`` in job descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jobengine.cli.options import document_form, json_value, rows_form, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client


@click.group()
def variable() -> None:
    """Values for ${Var:Name} in job descriptions."""


@variable.command("list")
@rows_form
@talks_to_service
def list_(client: Client, form: str) -> None:
    """List the variables.

    \b
    Example:
      jobengine variable list
    """
    from jobengine.cli.output import show_rows

    show_rows(form, client.variables.list(), {"Name": "name", "Value": "value"})


@variable.command()
@click.argument("name")
@document_form
@talks_to_service
def show(client: Client, name: str, form: str) -> None:
    """Show a variable.

    \b
    Example:
      jobengine variable show Studio
    """
    from jobengine.cli.output import show_document

    show_document(form, client.variables.get(name), {"Name": "name", "Value": "value"})


@variable.command("set")
@click.argument("name")
@click.argument("value")
@click.option("--json", "is_json", is_flag=True, help="VALUE is JSON instead of plain text.")
@talks_to_service
def set_(client: Client, name: str, value: str, is_json: bool) -> None:
    """Define a variable, or give it another value.

    \b
    Example:
      jobengine variable set Studio "Studio 1"
    """
    client.variables.set(name, json_value(value) if is_json else value)
    click.echo(f"{name} is set", err=True)


@variable.command()
@click.argument("name")
@talks_to_service
def delete(client: Client, name: str) -> None:
    """Remove a variable; jobs that were posted keep the value they used.

    \b
    Example:
      jobengine variable delete Studio
    """
    client.variables.delete(name)
    click.echo(f"{name} is deleted", err=True)
