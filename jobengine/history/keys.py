"""API keys. Only the hash of a secret is kept; making and checking secrets is not done here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, update

from jobengine.errors import ConflictError, NotFoundError
from jobengine.history.database import Database
from jobengine.history.tables import api_keys


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """A key: ``secret_hash`` is the SHA-256 of its secret as hexadecimal text."""

    key_id: str
    secret_hash: str
    role: str
    name: str
    created_time: str
    expires_time: str | None = None
    revoked_time: str | None = None


class ApiKeys:
    """The keys of a database. Every method may block for it and raises UnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, key: ApiKeyRecord) -> None:
        """Keep a new key. Raises ConflictError when its id is taken, or its name by a key not revoked:
        the history tells actors by their names.
        """
        values = {column.name: getattr(key, column.name) for column in api_keys.columns}
        same_name = (api_keys.c.name == key.name) & api_keys.c.revoked_time.is_(None)
        with self._database.writing() as connection:
            if connection.scalar(select(api_keys.c.key_id).where(same_name).limit(1)) is not None:
                raise ConflictError(f"a key is named {key.name!r} already; revoke it or take another name")
            connection.execute(insert(api_keys).values(values))

    def find(self, key_id: str) -> ApiKeyRecord | None:
        """The key with that id, revoked or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.key_id == key_id)).one_or_none()
        return None if row is None else ApiKeyRecord(*row)

    def list(self) -> list[ApiKeyRecord]:
        """All keys, oldest first, revoked ones too."""
        wanted = select(api_keys).order_by(api_keys.c.created_time, api_keys.c.key_id)
        with self._database.reading() as connection:
            return [ApiKeyRecord(*row) for row in connection.execute(wanted)]

    def revoke(self, key_id: str, now: str) -> None:
        """From now on the key opens nothing; revoking again changes nothing. Raises NotFoundError."""
        mine = api_keys.c.key_id == key_id
        still_good = mine & api_keys.c.revoked_time.is_(None)
        with self._database.writing() as connection:
            revoked = connection.execute(update(api_keys).where(still_good).values(revoked_time=now))
            if not revoked.rowcount and connection.scalar(select(api_keys.c.key_id).where(mine)) is None:
                raise NotFoundError(f"there is no key {key_id}")
