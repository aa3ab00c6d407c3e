"""The one error tree.

::

    JobEngineError
    ├── MalformedError            400  the request can't be read at all
    ├── AuthenticationError       401  no valid key
    ├── ForbiddenError            403  the key's role is not enough
    │   └── HostRefused
    ├── NotFoundError             404
    │   └── StreamGone                 elements came for a stream that isn't there
    ├── ConflictError             409  the state of things forbids it
    │   ├── TransitionNotAllowed
    │   └── IdempotencyConflict
    ├── RevisionMismatch          412  If-Match named another revision
    ├── TooLargeError             413
    ├── DocumentError             422  one fault or more, each with its JSON Pointer
    ├── PreconditionRequired      428
    ├── UnavailableError          503  engine or database can't answer now
    ├── TimeLimitPassed           504  it took longer than it may
    ├── SettingsError                  the operator's configuration is wrong
    ├── MediaError                     a source, sink or format failed
    │   ├── DiskFull              507
    │   └── SinkError
    └── WorkerError                    a worker broke its promises

REST, CLI and client map from ``code``, ``status`` and ``exit_code``; nothing else decides them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a document: ``pointer`` (RFC 6901) says where, ``detail`` what would be right."""

    pointer: str
    detail: str


class JobEngineError(Exception):
    """Something went wrong in jobengine."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class MalformedError(JobEngineError):
    """The request can't be read."""

    code = "malformed"
    title = "The request can't be read"
    status = 400
    exit_code = 2


class AuthenticationError(JobEngineError):
    """A valid key is needed."""

    code = "authentication-required"
    title = "A valid key is needed"
    status = 401
    exit_code = 4


class ForbiddenError(JobEngineError):
    """The role of this key does not allow it."""

    code = "forbidden"
    title = "The role of this key does not allow it"
    status = 403
    exit_code = 4


class HostRefused(ForbiddenError):
    """The request was meant for a host name that is not served here."""

    code = "host-refused"
    title = "This host name is not served here"


class NotFoundError(JobEngineError):
    """There is no such thing."""

    code = "not-found"
    title = "There is no such thing"
    status = 404
    exit_code = 3


class StreamGone(NotFoundError):
    """The stream was deleted, or its content; nothing was stored."""

    code = "stream-gone"
    title = "The stream is gone"


class ConflictError(JobEngineError):
    """The present state forbids it."""

    code = "conflict"
    title = "The present state forbids it"
    status = 409
    exit_code = 5


class TransitionNotAllowed(ConflictError):
    """The lifecycle has no such transition."""

    code = "transition-not-allowed"
    title = "The lifecycle has no such transition"


class IdempotencyConflict(ConflictError):
    """The Idempotency-Key was used for another request."""

    code = "idempotency-key-reused"
    title = "The Idempotency-Key was used for another request"
    status = 422


class RevisionMismatch(ConflictError):
    """The resource has changed since it was read."""

    code = "revision-mismatch"
    title = "The resource has changed since it was read"
    status = 412


class PreconditionRequired(JobEngineError):
    """The request must say which revision it changes."""

    code = "precondition-required"
    title = "If-Match is required"
    status = 428
    exit_code = 5


class TooLargeError(JobEngineError):
    """The request is larger than this service accepts."""

    code = "too-large"
    title = "The request is larger than this service accepts"
    status = 413
    exit_code = 2


class DocumentError(JobEngineError):
    """The document is not valid; ``faults`` names every place."""

    code = "invalid-document"
    title = "The document is not valid"
    status = 422
    exit_code = 2

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{f.pointer or '/'}: {f.detail}" for f in faults))
        self.faults = tuple(faults)


class UnavailableError(JobEngineError):
    """The engine or the database can't answer now; nothing was accepted."""

    code = "unavailable"
    title = "The service can't do that now"
    status = 503
    exit_code = 6


class TimeLimitPassed(JobEngineError):
    """It took longer than it may."""

    code = "time-limit-passed"
    title = "It took longer than it may"
    status = 504
    exit_code = 6


class SettingsError(JobEngineError):
    """The configuration is wrong."""

    code = "settings"
    title = "The configuration is wrong"
    exit_code = 2


class MediaError(JobEngineError):
    """A source, a sink or a format failed; the detail is a sentence for people."""

    code = "media"
    title = "Media can't be read or written"
    status = 422


class DiskFull(MediaError):
    """No space is left for an output, or in the contents store."""

    code = "disk-full"
    title = "No space is left"
    status = 507


class SinkError(MediaError):
    """A sink refused what it was given, or went away."""

    code = "sink"
    title = "A sink failed"


class WorkerError(JobEngineError):
    """A worker died or broke the protocol."""

    code = "worker"
    title = "The worker failed"


def error_class(code: str) -> type[JobEngineError]:
    """The class with this code; the base of all for an unknown one."""
    return BY_CODE.get(code, JobEngineError)


BY_CODE: Final[Mapping[str, type[JobEngineError]]] = {
    error.code: error
    for error in list(globals().values())
    if isinstance(error, type) and issubclass(error, JobEngineError)
}
"""Every error that has a code of its own."""
