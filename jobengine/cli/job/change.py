"""Commands that change a job: append, the four verbs, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import click

from jobengine.cli.job.waiting import WaitCommand, Wish, can_wait, wait_for
from jobengine.cli.options import document_form, read_json, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client

VERBS = {"start": "Running", "pause": "Paused", "finish": "Finished", "cancel": "Cancelled"}


@click.command()
@click.argument("job_id", metavar="JOB")
@click.argument("file", type=click.File("rb"))
@click.option("--idempotency-key", help="Appending again with the same key changes nothing.")
@document_form
@talks_to_service
def append(client: Client, job_id: str, file: IO[bytes], idempotency_key: str | None, form: str) -> None:
    """Append the transition or transitions in FILE (- for stdin) to JOB; prints their ids.

    \b
    Example:
      jobengine job append JOB docs/examples/level.json
    """
    _show_appended(client.jobs.handle(job_id).append(read_json(file), idempotency_key), form)


def _verb(name: str, reached: str) -> click.Command:
    class VerbCommand(WaitCommand):
        default_state = reached

    @click.command(
        name,
        cls=VerbCommand,
        help=f"Ask JOB to {name} as soon as possible: shorthand for one Immediate transition; prints its id."
        f"\n\n\b\nExample:\n  jobengine job {name} JOB --wait",
    )
    @click.argument("job_id", metavar="JOB")
    @can_wait
    @document_form
    @talks_to_service
    def command(client: Client, job_id: str, wish: Wish | None, form: str) -> None:
        job = client.jobs.handle(job_id)
        request: Callable[[], Any] = getattr(job, name)
        _show_appended(request(), form)
        if wish is not None:
            wait_for(job, wish)

    return command


start, pause, finish, cancel = (_verb(name, reached) for name, reached in VERBS.items())


@click.command()
@click.argument("job_ids", metavar="JOB...", nargs=-1)
@click.option("--filter", help="Delete what this filter finds instead.")
@click.option("--limit", type=click.IntRange(min=1), help="Delete at most so many.")
@click.option("--force", is_flag=True, help="Cancel active jobs first; without it they are refused.")
@document_form
@talks_to_service
def delete(
    client: Client, job_ids: tuple[str, ...], filter: str | None, limit: int | None, force: bool, form: str
) -> None:
    """Hide jobs; what happened stays in the database for those who audit.

    \b
    Examples:
      jobengine job delete JOB
      jobengine job delete --filter 'isActive == false AND createdTime < "2026-01-01"'
    """
    from jobengine.cli.output import to_json

    if bool(job_ids) == bool(filter) or (limit is not None and not filter):
        raise click.UsageError("give either jobs or --filter (with --limit, if you like)")
    for job_id in job_ids:
        client.jobs.handle(job_id).delete(force)
    count = client.jobs.delete(filter, limit, force) if filter else len(job_ids)
    click.echo(to_json({"count": count}) if form == "json" else str(count))


def _show_appended(stored: Any, form: str) -> None:
    from jobengine.cli.output import to_json

    rows = stored if isinstance(stored, list) else [stored]
    click.echo(
        to_json(stored) if form == "json" else "\n".join(str(row.get("transitionId", "")) for row in rows)
    )
