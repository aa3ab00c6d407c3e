"""Revisions over HTTP: ``ETag`` out, ``If-Match`` and ``If-None-Match`` in.

The entity tag of a job and of everything below it is the job's revision, that of a rule the one of all rules.
``If-Match: *`` means any.
"""

from __future__ import annotations

from flask import Response, request

from jobengine.errors import PreconditionRequired, RevisionMismatch


def etag(revision: int) -> str:
    """The entity tag of a revision."""
    return f'"{revision}"'


def expected_revision(current: int, is_required: bool = False) -> int | None:
    """The revision that the client wants to change; None if any.

    Raises PreconditionRequired when it must say and does not, RevisionMismatch when ``current`` is another.
    """
    given = request.if_match
    if not request.headers.get("If-Match", "").strip():
        if is_required:
            raise PreconditionRequired("send If-Match with the ETag that you read, or * for any")
        return None
    if given.star_tag:
        return None
    if not given.contains(str(current)):
        raise RevisionMismatch(f"the current revision is {current}", revision=current)
    return current


def is_known(revision: int) -> bool:
    """Whether the client has this revision already (``If-None-Match``)."""
    given = request.if_none_match
    return bool(given) and given.contains_weak(str(revision))


def not_modified(revision: int) -> Response:
    """Nothing new since the client read it."""
    return Response(status=304, headers={"ETag": etag(revision)})
