"""Requests that come again under their ``Idempotency-Key`` when they could not be carried out any more.

The engine answers a repetition before it looks at anything else. But a request may be refused before it
gets there, for what it has changed itself: the revision is another now, the job is prepared. Then what was
answered the first time counts.
"""

from __future__ import annotations

from jobengine.history.reader import JobReader
from jobengine.messaging.engine_messages import IdempotencyKey

REPLAYED = "Idempotent-Replayed"


def transitions_made(reader: JobReader, key: IdempotencyKey | None) -> tuple[str, ...] | None:
    """The transitions that the same request has made before; None if there was none.

    Raises IdempotencyConflict if the key was used for another request.
    """
    answer = reader.answer_under(key.key, key.scope) if key is not None else None
    if key is None or answer is None:
        return None
    key.check_same(answer.request_hash)
    return tuple(answer.response["transitionIds"])
