"""Commands that look at jobs and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from jobengine.cli.job import columns
from jobengine.cli.options import document_form, output_form, rows_form, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client


@click.command()
@click.option("--filter", help='Such as \'currentState == "Running" AND clientData.desk == "news"\'.')
@click.option("--sort", help="Members to sort by; - before one sorts downwards.")
@click.option("--fields", help="Members to answer, separated by commas; dots go into them.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many jobs."
)
@click.option("--count", is_flag=True, help="Only tell how many there are.")
@rows_form
@talks_to_service
def list_jobs(client: Client, fields: str | None, count: bool, form: str, **which: Any) -> None:
    """List jobs.

    \b
    Example:
      jobengine job list --filter 'isActive == true' --sort -createdTime
    """
    from jobengine.cli.output import show_rows, to_json

    if count:
        number = client.jobs.count(which["filter"])
        click.echo(to_json({"count": number}) if form in ("json", "jsonl") else str(number))
        return
    wanted = [name.strip() for name in fields.split(",") if name.strip()] if fields else None
    shown = {name: name for name in wanted} if wanted else columns.JOBS
    asked = list(shown.values()) if form in ("table", "csv") else wanted
    show_rows(form, (job.document for job in client.jobs.list(fields=asked, **which)), shown)


@click.command()
@click.argument("job_id", metavar="JOB")
@document_form
@talks_to_service
def show(client: Client, job_id: str, form: str) -> None:
    """Show a job; -o json gives its whole document.

    \b
    Example:
      jobengine job show JOB -o json
    """
    from jobengine.cli.output import show_document

    job = client.jobs.get(job_id)
    document = job.document
    if form != "json" and document.get("isActive"):
        document = {**document, "waitingFor": job.timeline()["waitingFor"]}
    show_document(form, document, columns.JOB)


@click.command()
@click.argument("job_id", metavar="JOB")
@rows_form
@talks_to_service
def history(client: Client, job_id: str, form: str) -> None:
    """Show what happened: the passed transitions in order.

    \b
    Example:
      jobengine job history JOB -o csv
    """
    from jobengine.cli.output import show_rows

    show_rows(form, client.jobs.handle(job_id).history(), columns.HISTORY)


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--at", metavar="TRANSITION", help="As of this transition.  [default: the last passed]")
@output_form("json")
@talks_to_service
def description(client: Client, job_id: str, at: str | None, form: str) -> None:
    """Print the effective job description: all descriptions so far, merged.

    \b
    Example:
      jobengine job description JOB
    """
    from jobengine.cli.output import to_json

    click.echo(to_json(client.jobs.handle(job_id).description(at)))


@click.command()
@click.argument("job_id", metavar="JOB")
@rows_form
@talks_to_service
def outputs(client: Client, job_id: str, form: str) -> None:
    """List what was really written: files and targets with their samples.

    \b
    Example:
      jobengine job outputs JOB -o json
    """
    from jobengine.cli.output import show_rows

    show_rows(form, client.jobs.handle(job_id).outputs(), columns.OUTPUTS)


@click.command()
@click.argument("job_id", metavar="JOB")
@output_form("text", "json")
@talks_to_service
def log(client: Client, job_id: str, form: str) -> None:
    """Print the log of the job's workers.

    \b
    Example:
      jobengine job log JOB
    """
    from jobengine.cli.output import to_json

    text = client.jobs.handle(job_id).log()
    click.echo(to_json({"log": text.splitlines()}) if form == "json" else text, nl=form == "json")
