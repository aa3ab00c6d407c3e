"""``jobengine job``: post jobs, change them while they run, look at them."""

from __future__ import annotations

import click

from jobengine.cli.lazy import LazyGroup

_HERE = "jobengine.cli.job"
PLACES = {
    "submit": f"{_HERE}.submit:submit",
    "append": f"{_HERE}.change:append",
    "start": f"{_HERE}.change:start",
    "pause": f"{_HERE}.change:pause",
    "finish": f"{_HERE}.change:finish",
    "cancel": f"{_HERE}.change:cancel",
    "delete": f"{_HERE}.change:delete",
    "list": f"{_HERE}.look:list_jobs",
    "show": f"{_HERE}.look:show",
    "watch": f"{_HERE}.watch:watch",
    "history": f"{_HERE}.look:history",
    "description": f"{_HERE}.look:description",
    "outputs": f"{_HERE}.look:outputs",
    "log": f"{_HERE}.look:log",
    "transitions": f"{_HERE}.transitions:transitions",
}


@click.group(cls=LazyGroup, places=PLACES)
def job() -> None:
    """Post jobs, change them while they run, look at them.

    \b
    Example:
      jobengine job submit docs/examples/test-signal.json --wait=Running
    """
