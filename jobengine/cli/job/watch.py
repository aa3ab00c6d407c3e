"""``jobengine job watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jobengine.cli.options import output_form, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--interval", type=click.FloatRange(min=0.1), default=1.0, show_default=True, metavar="SECONDS")
@output_form("table", "jsonl", "json")
@talks_to_service
def watch(client: Client, job_id: str, interval: float, form: str) -> None:
    """Follow JOB until it ends: transitions as they pass, progress in between.

    Ctrl-C only stops watching, never the job. Exit code 7 if the job ends in failure. With -o json or
    jsonl every line is JSON.

    \b
    Example:
      jobengine job watch JOB --interval 0.5
    """
    from jobengine.cli.job.observing import observe
    from jobengine.cli.job.waiting import FINAL, outcome
    from jobengine.cli.output import to_line
    from jobengine.model.lifecycle import JobState

    job = client.jobs.get(job_id)
    for seen in observe(client, job, interval):
        click.echo(seen.line() if form == "table" else to_line({"kind": seen.kind, **seen.document}))
    state = job.refresh().state
    click.echo(f"{job.id} is {state}{f': {job.message}' if job.message else ''}", err=True)
    if state is not JobState.FINISHED:
        raise outcome(job, state, FINAL)
