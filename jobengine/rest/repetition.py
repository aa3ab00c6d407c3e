"""Requests that come again under their ``Idempotency-Key``, also when they could not be carried out any more.

The engine answers a repetition before it looks at anything else. But a request may be refused before it
gets there, for what it has changed itself or others have since: the revision is another now, the job is
prepared, a variable is gone. Then what was answered the first time counts.
"""

from __future__ import annotations

from hashlib import sha256

from flask import request

from jobengine.errors import MalformedError
from jobengine.history.reader import JobReader
from jobengine.history.rows import StoredAnswer
from jobengine.messaging.engine_messages import IdempotencyKey
from jobengine.rest.auth import Actor

REPLAYED = "Idempotent-Replayed"


def idempotency_key(actor: Actor, scope: str, body: bytes) -> IdempotencyKey | None:
    """The client's ``Idempotency-Key`` with what it is for. Raises MalformedError if it is not sane."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    key = key.strip().strip('"')
    if not key or len(key) > 255 or not key.isprintable():
        raise MalformedError("Idempotency-Key must have 1 to 255 printable characters")
    return IdempotencyKey(key, f"{actor.name} {scope}", sha256(body).hexdigest())


def transitions_made(reader: JobReader, key: IdempotencyKey | None) -> tuple[str, ...] | None:
    """The transitions that the same request has made before; None if there was none.

    Raises IdempotencyConflict if the key was used for another request.
    """
    answer = _first_answer(reader, key)
    return None if answer is None else tuple(answer.response["transitionIds"])


def job_made(reader: JobReader, key: IdempotencyKey | None) -> str | None:
    """The job that the same request has made before; None if there was none.

    Raises IdempotencyConflict if the key was used for another request.
    """
    answer = _first_answer(reader, key)
    return None if answer is None else answer.job_id


def _first_answer(reader: JobReader, key: IdempotencyKey | None) -> StoredAnswer | None:
    answer = reader.answer_under(key.key, key.scope) if key is not None else None
    if key is not None and answer is not None:
        key.check_same(answer.request_hash)
    return answer
