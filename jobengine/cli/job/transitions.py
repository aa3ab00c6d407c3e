"""``jobengine job transitions``: the list of a job, and changes of what is still pending."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from jobengine.cli.job import columns
from jobengine.cli.options import document_form, read_json, rows_form, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client


@click.group()
def transitions() -> None:
    """List transitions, planned and passed; change or remove pending ones."""


@transitions.command("list")
@click.argument("job_id", metavar="JOB")
@rows_form
@talks_to_service
def list_(client: Client, job_id: str, form: str) -> None:
    """List planned and passed transitions in order.

    \b
    Example:
      jobengine job transitions list JOB
    """
    from jobengine.cli.output import show_rows

    show_rows(form, client.jobs.handle(job_id).transitions(), columns.TRANSITIONS)


@transitions.command()
@click.argument("job_id", metavar="JOB")
@click.argument("transition_id", metavar="TRANSITION")
@click.argument("file", type=click.File("rb"))
@document_form
@talks_to_service
def change(client: Client, job_id: str, transition_id: str, file: IO[bytes], form: str) -> None:
    """Change a pending transition by the JSON in FILE (- for stdin).

    It keeps its id; what was planned before stays visible in a row of its own, as Superseded.

    \b
    Example:
      echo '{"trigger": {"type": "Duration", "duration": 9000, "requestedProcState": "Finish"}}' |
        jobengine job transitions change JOB TRANSITION -
    """
    from jobengine.cli.output import show_document

    stored = client.jobs.get(job_id).change_transition(transition_id, read_json(file))
    show_document(form, stored, columns.TRANSITIONS)


@transitions.command()
@click.argument("job_id", metavar="JOB")
@click.argument("transition_id", metavar="TRANSITION")
@talks_to_service
def remove(client: Client, job_id: str, transition_id: str) -> None:
    """Take a pending transition off the list; it stays visible as Superseded.

    \b
    Example:
      jobengine job transitions remove JOB TRANSITION
    """
    client.jobs.get(job_id).remove_transition(transition_id)
    click.echo(f"{transition_id} is removed", err=True)
