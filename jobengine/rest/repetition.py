"""Requests that come again under their ``Idempotency-Key``, also when they could not be carried out any more.

The engine answers a repetition before it looks at anything else. But a request may be refused before it
gets there, for what it has changed itself: the revision is another now, the job is prepared. Then what was
answered the first time counts.
"""

from __future__ import annotations

from hashlib import sha256

from flask import request

from jobengine.errors import MalformedError
from jobengine.history.reader import JobReader
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
    answer = reader.answer_under(key.key, key.scope) if key is not None else None
    if key is None or answer is None:
        return None
    key.check_same(answer.request_hash)
    return tuple(answer.response["transitionIds"])
