"""The command ``jobengine``: its commands, and how every one of them ends."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NoReturn

import click

from jobengine.cli import failure
from jobengine.cli.lazy import LazyGroup
from jobengine.errors import JobEngineError

PLACES = {
    "serve": "jobengine.cli.serve:serve",
    "demo": "jobengine.cli.demo:demo",
    "job": "jobengine.cli.job:job",
    "content": "jobengine.cli.content:content",
    "event": "jobengine.cli.event:event",
    "variable": "jobengine.cli.variable:variable",
    "service": "jobengine.cli.service:service",
    "audit": "jobengine.cli.audit:audit",
    "db": "jobengine.cli.db:db",
    "key": "jobengine.cli.key:key",
    "config": "jobengine.cli.config:config",
    "schema": "jobengine.cli.schema:schema",
    "openapi": "jobengine.cli.schema:openapi",
}


class Root(LazyGroup):
    """Ends every command with one of the agreed exit codes, and without a traceback unless asked for."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        given = list(sys.argv[1:] if args is None else args)
        try:
            options["standalone_mode"] = False
            code = super().main(given, *rest, **options)
            sys.stdout.flush()
        except Exception as error:
            if "--debug" in given[:1]:
                traceback.print_exc()
            code = _end(error)
        sys.exit(code if isinstance(code, int) else 0)


def _end(error: Exception) -> int:
    match error:
        case click.Abort():
            return failure.INTERRUPTED
        case failure.CommandFailed():
            error.show()
            return error.code
        case click.ClickException():
            error.show()
            return error.exit_code
        case JobEngineError():
            return failure.tell_error(error)
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return failure.FAILED
        case OSError():
            failure.tell("A file can't be read or written", (str(error),))
            return failure.FAILED
        case _:
            reason = f"{type(error).__name__}: {error}"
            advice = "run 'jobengine --debug …' and report what it prints"
            failure.tell("This is a fault of jobengine", (reason,), advice)
            return failure.FAILED


@click.group(
    cls=Root,
    places=PLACES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--debug", is_flag=True, help="Print a traceback when something fails. Put it before the command."
)
@click.version_option(version("jobengine"), prog_name="jobengine")
def main(debug: bool) -> None:
    """A durable state-machine job engine for media streams.

    \b
    Start a service, post a job, look at it:
      jobengine serve
      jobengine job submit docs/examples/test-signal.json --wait=Running
      jobengine job list

    Data goes to stdout, messages to stderr. -o json gives JSON everywhere.
    """
