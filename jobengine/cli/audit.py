"""``jobengine audit``: is the history what was written?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jobengine.cli.open_database import works_on_database
from jobengine.cli.options import document_form, output_form

if TYPE_CHECKING:
    from jobengine.history.database import Database

FINDINGS = {"Job": "jobId", "#": "sequence", "Kind": "kind", "What": "detail", "Transition": "transitionId"}


@click.group()
def audit() -> None:
    """Check the history's hash chain and export histories that others can check. Needs no running service."""


@audit.command()
@click.argument("job_id", metavar="[JOB]", required=False)
@document_form
@works_on_database
def verify(database: Database, job_id: str | None, form: str) -> None:
    """Check the history of JOB, or of all jobs; exit code 1 if a row was changed, removed or inserted,
    or if the database no longer refuses such changes.

    \b
    Example:
      jobengine audit verify --data /srv/jobengine
    """
    from jobengine.cli.failure import CommandFailed, guards_are_gone
    from jobengine.cli.output import show_rows, to_json
    from jobengine.history.audit import verify as verify_history
    from jobengine.history.guards import missing_guards

    missing = missing_guards(database)
    result = verify_history(database, job_id)
    findings = [
        {
            "jobId": f.job_id,
            "kind": f.kind,
            "detail": f.detail,
            "transitionId": f.transition_id,
            "sequence": f.sequence,
        }
        for f in result.findings
    ]
    if form == "json":
        counts = {"intact": result.is_intact, "jobs": result.jobs, "rows": result.rows}
        click.echo(to_json(counts | {"missingGuards": missing, "findings": findings}))
    elif findings:
        show_rows("table", findings, FINDINGS)
    else:
        click.echo(f"intact: {result.rows} rows of {result.jobs} jobs")
    if not result.is_intact:
        raise CommandFailed(
            f"the history is not what was written: {len(findings)} finding{'s' if len(findings) > 1 else ''}",
            advice="compare with a backup or with exported histories; nothing was changed by this check",
        )
    if missing:
        raise guards_are_gone(missing)


@audit.command()
@click.argument("job_id", metavar="JOB")
@output_form("json")
@works_on_database
def export(database: Database, job_id: str, form: str) -> None:
    """Print the history of JOB as it is hashed, with its head hash and the result of the check.

    \b
    Example:
      jobengine audit export JOB --data /srv/jobengine > history.json
    """
    from jobengine.cli.output import to_json
    from jobengine.history.audit import export as export_history

    click.echo(to_json(export_history(database, job_id)))
