"""``jobengine service``: what runs, which version, whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jobengine.cli.options import rows_form, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client


@click.group()
def service() -> None:
    """Look at a running service."""


@service.command("list")
@rows_form
@talks_to_service
def list_(client: Client, form: str) -> None:
    """Show the parts of the service, their versions, and whether each works; exit code 6 if one does not.

    \b
    Example:
      jobengine service list
    """
    from jobengine.cli.failure import CommandFailed
    from jobengine.cli.output import show_rows
    from jobengine.errors import UnavailableError

    readiness = client.readiness()
    rows = [{"part": name, **found} for name, found in readiness["components"].items()]
    versions = client.versions()
    versions |= versions.pop("parts", {})
    rows += [{"part": name, "version": version} for name, version in versions.items()]
    show_rows(form, rows, {"Part": "part", "Works": "ready", "Version": "version", "Detail": "detail"})
    if not readiness["ready"]:
        raise CommandFailed(f"the service at {client.url} is not ready", UnavailableError.exit_code)
