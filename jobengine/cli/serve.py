"""``jobengine serve``: one process tree with REST, dashboard, engine and workers."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jobengine.cli.options import data_options
from jobengine.garbage import look_no_more


@click.command()
@data_options
@click.option(
    "--host", help="Address to listen on; beyond loopback an API key must exist.  [default: 127.0.0.1]"
)
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; 0 takes a free one.  [default: 8484]")
@click.option(
    "--finish-jobs", is_flag=True, help="At the end finish the jobs instead of leaving their workers running."
)
def serve(
    config: Path | None, data: Path | None, host: str | None, port: int | None, finish_jobs: bool
) -> None:
    """Run a service until it is stopped (Ctrl-C or SIGTERM).

    Workers are left running when the service stops, and found again at its next start: a recording does not
    notice. With --finish-jobs they are finished instead.

    \b
    Example:
      jobengine serve --data /srv/jobengine --port 8484
    """
    from jobengine.app import run_service
    from jobengine.app.template import start_template

    start_template()  # it imports for a second, so it begins before the settings are read
    from jobengine.settings import load

    code = run_service(load(config, {"data": data, "http": {"host": host, "port": port}}), finish_jobs)
    look_no_more()
    sys.exit(code)
