"""Whose fault it is when a decision ends in an error that nobody expected: a request's, or a job's own.

Whoever decides about one after the other names the one it was about, so that the others can be decided about
anew without it.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping

from jobengine.errors import ConflictError, JobEngineError, MalformedError, UnavailableError
from jobengine.logs import strike_out

CROWD = 30
"""Where more than so many jobs are read or written together, and none of them can be, it is no fault of
theirs. That decisions can be made at all the engine has found out before (`jobengine.engine.rehearsal`)."""
_SHORT_OF = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
)
_WORDS = 200


class Blamed(Exception):
    """Errors by the job that was decided about, or by the request that was carried out.

    ``is_stored``: they are in what the database holds of the jobs, so no request can be the reason.
    """

    def __init__(
        self,
        jobs: Mapping[str, Exception] | None = None,
        requests: Mapping[str, Exception] | None = None,
        *,
        is_stored: bool = False,
    ) -> None:
        super().__init__(", ".join([*(jobs or ()), *(requests or ())]))
        self.jobs = dict(jobs or {})
        self.requests = dict(requests or {})
        self.is_stored = is_stored


def own(error: Exception) -> Exception:
    """``error``, if it may be the fault of whom was decided about; raised again if it can't be.

    What the database is answerable for is not, nor what the machine is short of.
    """
    is_shortage = isinstance(error, OSError) and error.errno in _SHORT_OF
    if is_shortage or isinstance(error, UnavailableError | ConflictError | MemoryError | Blamed):
        raise error
    return error


def blame(jobs: Mapping[str, Exception]) -> None:
    """Raise Blamed for these jobs, if there are any."""
    if jobs:
        raise Blamed(jobs)


def is_crowd(blamed: int, tried: int) -> bool:
    """Whether so many of those that were tried are too many to blame."""
    return blamed == tried > CROWD


def is_stale(error: Exception) -> bool:
    """Whether somebody else has changed rows meanwhile: they may only have to be read again."""
    return isinstance(error, ConflictError) and "jobs" in error.facts


def told(error: Exception) -> JobEngineError:
    """What the client of a request is told that is to blame."""
    if isinstance(error, ConflictError):
        return UnavailableError("another owner was first; try again")
    if isinstance(error, JobEngineError):
        return MalformedError(error.detail)
    return JobEngineError("the engine could not carry this out; nothing was changed, its log has the details")


def in_words(error: Exception) -> str:
    """What a person is told of an error: short, no secret, and nothing that a database could refuse."""
    said = strike_out(str(error)).partition("\n")[0]
    return f"{type(error).__name__}: {ascii(said)[1:-1]}"[:_WORDS]
