"""What http processes ask of the engine, and what it answers. Version 1.

Everything in a request has been validated against the models; the engine checks what depends on the
state of things, commits, and only then answers. ``actor`` is who asked, for the history.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobengine.errors import IdempotencyConflict


class Draft(msgspec.Struct, frozen=True, omit_defaults=True):
    """A transition to append. ``resolved`` is set when placeholders were filled in."""

    trigger: dict[str, Any]
    job_description: dict[str, Any] | None = None
    resolved: dict[str, Any] | None = None
    info: dict[str, Any] | None = None

    @property
    def description(self) -> dict[str, Any] | None:
        """The description in force."""
        return self.resolved["description"] if self.resolved else self.job_description


class IdempotencyKey(msgspec.Struct, frozen=True):
    """An ``Idempotency-Key`` in the scope of one actor and route, with the hash of what was asked."""

    key: str
    scope: str
    request_hash: str

    def check_same(self, request_hash: str) -> None:
        """Raises IdempotencyConflict unless this is what was asked under the key before."""
        if request_hash != self.request_hash:
            raise IdempotencyConflict("this Idempotency-Key was already used for a different request")


class Request(msgspec.Struct, frozen=True, tag=True, tag_field="request", kw_only=True):
    """Base of every request; the answer carries the same ``request_id``."""

    request_id: str
    actor: str = ""


class SubmitJob(Request, frozen=True, kw_only=True):
    """Store a job and begin to carry it out."""

    name: str = ""
    alias: str = ""
    client_data: Any = None
    restart_policy: str = "never"
    drafts: tuple[Draft, ...]
    idempotency: IdempotencyKey | None = None


class ChangeJob(Request, frozen=True, kw_only=True):
    """Append transitions, change members (``changes`` by record field name), or both, in one commit."""

    job_id: str
    drafts: tuple[Draft, ...] = ()
    changes: dict[str, Any] = {}
    revision: int | None = None
    idempotency: IdempotencyKey | None = None


class ChangeTransition(Request, frozen=True, kw_only=True):
    """Replace what a pending transition says.

    ``counts_from_now``: its stream condition counts from the moment on at which the worker has let go of the
    old one, not from the start of the job.
    """

    job_id: str
    transition_id: str
    draft: Draft
    revision: int | None = None
    counts_from_now: bool = False


class RemoveTransition(Request, frozen=True, kw_only=True):
    """Take a pending transition off the list; its row stays as Superseded."""

    job_id: str
    transition_id: str
    revision: int | None = None


class SendVolatile(Request, frozen=True, kw_only=True):
    """Send transitions to the running worker only: not stored, not notified."""

    job_id: str
    drafts: tuple[Draft, ...]


class DeleteJob(Request, frozen=True, kw_only=True):
    """Hide a job; an active one only with ``force``, which cancels it."""

    job_id: str
    force: bool = False
    revision: int | None = None


class RaiseEvent(Request, frozen=True, kw_only=True):
    """Raise a named event."""

    name: str
    data: dict[str, Any] = {}


class SetVariable(Request, frozen=True, kw_only=True):
    """Define a variable, or remove it (``value`` None)."""

    name: str
    value: Any = None


class ReadProgress(Request, frozen=True, kw_only=True):
    """Live counters of running jobs; all of them if ``job_ids`` is empty.

    A job that waits to be admitted has ``queue`` instead: ``waitsFor``, ``place`` (from 1), ``waiting``.
    """

    job_ids: tuple[str, ...] = ()


class ReadService(Request, frozen=True, kw_only=True):
    """What the engine has counted since its start: ``failures``, as `jobengine.ports.work.WorkerLauncher` has
    them. Asked for as well to see whether the engine answers."""


AnyRequest = (
    SubmitJob
    | ChangeJob
    | ChangeTransition
    | RemoveTransition
    | SendVolatile
    | DeleteJob
    | RaiseEvent
    | SetVariable
    | ReadProgress
    | ReadService
)


class Accepted(msgspec.Struct, frozen=True, tag=True, tag_field="answer", omit_defaults=True):
    """Committed. ``transition_ids`` are those made; ``replayed`` answers a repeated Idempotency-Key."""

    request_id: str
    job_id: str = ""
    revision: int = 0
    transition_ids: tuple[str, ...] = ()
    replayed: bool = False
    data: dict[str, Any] = {}


class Refused(msgspec.Struct, frozen=True, tag=True, tag_field="answer"):
    """Nothing was changed. ``code`` is the code of an error class of `jobengine.errors`."""

    request_id: str
    code: str
    detail: str
    facts: dict[str, Any] = {}


class Committed(msgspec.Struct, frozen=True, tag=True, tag_field="notice"):
    """Published after a commit that added events: there is something new to read from the database."""

    job_ids: tuple[str, ...]


Answer = Accepted | Refused

request_decoder = msgspec.msgpack.Decoder(AnyRequest)
answer_decoder = msgspec.msgpack.Decoder(Answer)
encode = msgspec.msgpack.Encoder().encode
