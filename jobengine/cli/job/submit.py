"""``jobengine job submit``."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from jobengine.cli.job import columns
from jobengine.cli.job.waiting import WaitCommand, Wish, can_wait, wait_for
from jobengine.cli.options import document_form, read_json, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client


@click.command(cls=WaitCommand)
@click.argument("file", type=click.File("rb"))
@click.option("--check", is_flag=True, help="Only check; print the planned timeline, or every fault.")
@can_wait
@click.option("--idempotency-key", help="Posting again with the same key gives the same job.")
@document_form
@talks_to_service
def submit(
    client: Client,
    file: IO[bytes],
    check: bool,
    wish: Wish | None,
    idempotency_key: str | None,
    form: str,
) -> None:
    """Post the job in FILE (- for stdin); prints its id.

    \b
    Examples:
      jobengine job submit docs/examples/record.json --check
      jobengine job submit docs/examples/stream-condition.json --wait --timeout 60
    """
    from jobengine.cli.output import show_rows, to_json

    document = read_json(file)
    if check:
        plan = client.jobs.validate(document)
        if form == "json":
            click.echo(to_json(plan))
        else:
            show_rows("table", plan["timeline"], columns.PLAN)
        click.echo("the document is valid; nothing was stored", err=True)
        return
    job = client.jobs.submit(document, idempotency_key)
    if form == "table":
        click.echo(job.id)
    try:
        if wish is not None:
            wait_for(job, wish)
    finally:
        if form == "json":
            click.echo(to_json(job.document))
