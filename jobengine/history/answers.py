"""What was answered to requests that came under an ``Idempotency-Key``."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, or_, select

from jobengine.history.rows import StoredAnswer, from_json
from jobengine.history.tables import idempotency

Place = tuple[str, str]
"""A key and its scope."""
_COLUMNS = (
    idempotency.c.key,
    idempotency.c.scope,
    idempotency.c.request_hash,
    idempotency.c.status,
    idempotency.c.job_id,
    idempotency.c.response,
)


def find_answers(connection: Connection, places: Sequence[Place]) -> dict[Place, StoredAnswer]:
    """The answers that are kept, to the requests that first used these keys."""
    same = [(idempotency.c.scope == scope) & (idempotency.c.key == key) for key, scope in places]
    rows = connection.execute(select(*_COLUMNS).where(or_(*same)))
    return {(row[0], row[1]): StoredAnswer(row[2], row[3], row[4], from_json(row[5])) for row in rows}
