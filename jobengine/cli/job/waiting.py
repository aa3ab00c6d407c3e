"""Waiting for a state of a job, and what its outcome means for the exit code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from jobengine.cli.failure import FAILED, JOB_FAILED, STILL_PENDING, CommandFailed

if TYPE_CHECKING:
    from jobengine.client import Job

FINAL = "final"


class StateParameter(click.ParamType[str]):
    """A state in any case, or "final"."""

    name = "state"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from jobengine.model.lifecycle import JobState

        known = {str(state).lower(): str(state) for state in JobState} | {FINAL: FINAL}
        if str(value).lower() not in known:
            self.fail(f"{value!r} is not a state; known are {', '.join(known.values())}", param, ctx)
        return known[str(value).lower()]


class WaitCommand(click.Command):
    """A command whose ``--wait`` may stand alone: then it means ``default_state``, the end of the job."""

    default_state = FINAL

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        full = f"--wait={self.default_state}"
        return super().parse_args(ctx, [full if arg == "--wait" else arg for arg in args])


@dataclass(frozen=True, slots=True)
class Wish:
    """What ``--wait`` and ``--timeout`` ask for."""

    until: str
    timeout_s: float | None = None


def can_wait(command: Callable[..., None]) -> Callable[..., None]:
    """Adds ``--wait[=STATE]`` and ``--timeout``; the command gets a `Wish` or None as ``wish``."""

    @click.option(
        "--wait",
        "until",
        type=StateParameter(),
        metavar="[=STATE]",
        help="Wait until the job has ended as asked, or has reached STATE.",
    )
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="Wait at most so long, then end with exit code 8.",
    )
    @functools.wraps(command)
    def run(until: str | None, timeout: float | None, **arguments: Any) -> None:
        if timeout is not None and until is None:
            raise click.UsageError("--timeout goes with --wait")
        command(wish=None if until is None else Wish(until, timeout), **arguments)

    return run


def wait_for(job: Job, wish: Wish) -> None:
    """Block until ``job`` is as wished. Raises CommandFailed with the fitting exit code."""
    from jobengine.model.lifecycle import JobState

    try:
        reached = job.wait(wish.until, wish.timeout_s)
    except TimeoutError as error:
        advice = f"'jobengine job watch {job.id}' goes on waiting"
        raise CommandFailed(str(error), STILL_PENDING, advice=advice) from None
    click.echo(f"{job.id} is {reached}{f': {job.message}' if job.message else ''}", err=True)
    is_fine = reached in (JobState.FINISHED, wish.until)
    is_sure = wish.until in (FINAL, JobState.FINISHED, reached)
    if not is_fine or not (is_sure or _was_in(job, wish.until)):
        raise outcome(job, reached, wish.until)


def outcome(job: Job, reached: str, until: str) -> CommandFailed:
    """What to say of a job that ended otherwise than wished for."""
    from jobengine.model.lifecycle import JobState

    reasons = (job.message,) if job.message else ()
    if reached == JobState.FINISHED:
        return CommandFailed(f"the job is Finished and never was {until}", FAILED, reasons)
    advice = f"'jobengine job history {job.id}' and 'jobengine job log {job.id}' tell more"
    return CommandFailed(f"the job ended as {reached}", JOB_FAILED, reasons, advice)


def _was_in(job: Job, state: str) -> bool:
    return any(row.get("currentProcState") == state for row in job.history())
