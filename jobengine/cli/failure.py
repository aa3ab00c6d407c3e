"""How a failed command ends: what happened, where and why, what to do, and the exit code.

Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 authentication, 5 conflict, 6 unavailable, 7 job ended
in failure, 8 still pending at ``--timeout``, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from jobengine.errors import (
    AuthenticationError,
    ConflictError,
    DocumentError,
    ForbiddenError,
    JobEngineError,
    MalformedError,
    NotFoundError,
    RevisionMismatch,
    SettingsError,
    TooLargeError,
    TransitionNotAllowed,
    UnavailableError,
)

FAILED = 1
JOB_FAILED = 7
STILL_PENDING = 8
INTERRUPTED = 130

_ADVICE: tuple[tuple[type[JobEngineError], str], ...] = (
    (MalformedError, "correct the text at this place"),
    (
        DocumentError,
        "correct these places; 'jobengine schema job' prints the form of a job, 'jobengine schema' names all",
    ),
    (TooLargeError, "split the document, or raise http.max_document_bytes in the service's configuration"),
    (
        AuthenticationError,
        "give a key with --token-file; 'jobengine key create NAME --role operator' makes one",
    ),
    (ForbiddenError, "use a key whose role allows it; 'jobengine key list' shows them"),
    (NotFoundError, "check the name or id; the 'list' commands show what is there"),
    (RevisionMismatch, "look at it again, then repeat the command"),
    (TransitionNotAllowed, "look at the job with 'jobengine job show'; what is settled can't be changed"),
    (ConflictError, "see what is there now, then decide; nothing was changed"),
    (UnavailableError, "start a service with 'jobengine serve', or say where it is with --url"),
    (SettingsError, "'jobengine config show --origin' tells where each setting comes from"),
)


class CommandFailed(click.ClickException):
    """A command that did its work, whose result is bad news. ``advice`` says what to do."""

    def __init__(
        self, message: str, exit_code: int = FAILED, reasons: tuple[str, ...] = (), advice: str = ""
    ) -> None:
        super().__init__(message)
        self.code = exit_code
        self.reasons = reasons
        self.advice = advice

    def show(self, file: object = None) -> None:
        tell(self.message, self.reasons, self.advice)


def guards_are_gone(missing: Sequence[str]) -> CommandFailed:
    """The failure of a check that found triggers ``missing`` which guard the history."""
    return CommandFailed(
        f"the database no longer refuses changes of history: {', '.join(missing)} gone",
        advice="run 'jobengine audit verify', find out who dropped them, and restore a backup",
    )


def tell(what: str, reasons: tuple[str, ...] = (), advice: str = "") -> None:
    """Say on stderr what happened, why, and what to do."""
    click.echo(click.style("error: ", fg="red") + what, err=True)
    for reason in reasons:
        click.echo(f"  {reason}", err=True)
    if advice:
        click.echo(f"to do: {advice}", err=True)


def tell_error(error: JobEngineError) -> int:
    """Say what an error means; the answer is the exit code."""
    if isinstance(error, DocumentError):
        reasons = tuple(
            f"{fault.pointer or '(the whole document)'}: {fault.detail}" for fault in error.faults
        )
    else:
        reasons = tuple(error.detail.splitlines())
    tell(error.title, reasons, next((text for kind, text in _ADVICE if isinstance(error, kind)), ""))
    return error.exit_code
