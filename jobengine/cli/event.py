"""``jobengine event``: raise named events, follow everything that changes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from jobengine.cli.options import document_form, json_value, output_form, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client


@click.group()
def event() -> None:
    """Raise named events; follow everything that changes."""


@event.command()
@click.argument("name")
@click.option("--data", metavar="JSON", help="An object that Event triggers may match.")
@document_form
@talks_to_service
def post(client: Client, name: str, data: str | None, form: str) -> None:
    """Raise the event NAME for Event triggers.

    \b
    Example:
      jobengine event post red-light --data '{"studio": 1}'
    """
    from jobengine.cli.output import to_json

    given = json_value(data) if data is not None else {}
    if not isinstance(given, dict):
        raise click.BadParameter('must be a JSON object, such as {"studio": 1}', param_hint="--data")
    answer = client.events.post(name, given)
    if form == "json":
        click.echo(to_json(answer))
    click.echo(f"{name} is raised", err=True)


@event.command()
@click.option("--filter", help="Such as 'type == \"job.state\"'.")
@click.option(
    "--after", type=click.IntRange(min=0), metavar="NUMBER", help="Replay what came after this number first."
)
@click.option("--limit", type=click.IntRange(min=1), help="End after so many events.")
@output_form("table", "jsonl", "json")
@talks_to_service
def tail(client: Client, filter: str | None, after: int | None, limit: int | None, form: str) -> None:
    """Follow every change, numbered, until Ctrl-C; nothing is lost across a reconnect.

    With -o json or jsonl every event is one line of JSON.

    \b
    Example:
      jobengine event tail --filter 'type == "job.state"'
    """
    from jobengine.cli.output import printable, to_line

    for found in islice(client.events.stream(filter, after), limit):
        if form == "table":
            about = f"{found.job_id or '':<36}  {printable(to_line(found.data))}"
            click.echo(f"{found.sequence:>8}  {found.time:<27}  {found.type:<20}  {about}")
        else:
            click.echo(to_line(found.document()))
