"""The connections to one Redis, and what its failures mean to us.

Every call has a timeout and is repeated a few times when the connection is lost: reads may be, and commits
carry an id that Redis remembers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError, ResponseError
from redis.retry import Retry

from jobengine.contents.redis_store.scripts import LOST
from jobengine.contents.redis_store.wire import Command, Word, pack
from jobengine.errors import UnavailableError
from jobengine.ports.contents import Buffer

_RETRIES: Final = 3
_READ_SIZE_BYTES: Final = 256 * 1024
_MOST_CONNECTIONS: Final = 50


class RedisServer:
    """One server, reached through a pool of connections; thread-safe. Blocks for ``timeout_s`` per try.

    Who finds all connections taken (``max_connections`` of the URL, else 50) waits for one as long.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._names: dict[str, bytes] = {}
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=_MOST_CONNECTIONS,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_read_size=_READ_SIZE_BYTES,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _RETRIES),
            decode_responses=False,
            protocol=2,
        )
        self._pool: Any = pool
        self.name = str(pool.connection_kwargs.get("path") or _address(pool.connection_kwargs))

    def call(self, *command: Word) -> Any:
        """The answer to one command. Raises UnavailableError."""
        return self.call_all([command])[0]

    def call_all(self, commands: Sequence[Command], *, at_once: bool = False) -> list[Any]:
        """The answers to commands in one round trip; ``at_once``: nothing of others comes in between."""
        if not commands:
            return []
        with self._failures_translated():
            if not at_once:
                return _without_errors(self._exchange(commands))
            *_, answers = _without_errors(self._exchange([("MULTI",), *commands, ("EXEC",)]))
            return _without_errors(answers)

    def run(
        self, script: str, keys: Sequence[bytes], arguments: Command, ahead: Sequence[Command] = ()
    ) -> Any:
        """The answer of a script, in the same round trip as commands that go ``ahead`` of it.

        A refusal of these counts only if the script misses what they should have brought (`LOST`).
        """
        with self._failures_translated():
            *others, answer = self._run(script, keys, arguments, ahead)
            if isinstance(answer, NoScriptError):
                self._names.pop(script, None)
                *others, answer = self._run(script, keys, arguments, ahead)
            if answer == LOST or isinstance(answer, RedisError):
                _without_errors([*others, answer])
            return answer

    def close(self) -> None:
        """Close all connections."""
        self._pool.disconnect()

    def _run(
        self, script: str, keys: Sequence[bytes], arguments: Command, ahead: Sequence[Command]
    ) -> list[Any]:
        name = self._names.get(script)
        if name is None:
            [name] = _without_errors(self._exchange([("SCRIPT", "LOAD", script)]))
            self._names[script] = name  # until any thread finds that Redis has forgotten it
        return self._exchange([*ahead, ("EVALSHA", name, len(keys), *keys, *arguments)])

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send and read; refusals are among the answers."""
        packed = pack(commands)
        connection = self._pool.get_connection()
        try:
            answers: list[Any] = connection.retry.call_with_retry(
                lambda: _exchange_once(connection, packed, len(commands)), lambda _: connection.disconnect()
            )
            return answers
        except BaseException:
            connection.disconnect()  # answers not read yet would be taken for those to the next commands
            raise
        finally:
            self._pool.release(connection)

    @contextmanager
    def _failures_translated(self) -> Iterator[None]:
        try:
            yield
        except OutOfMemoryError as fault:
            raise UnavailableError(
                f"the contents store at {self.name} is full (maxmemory): nothing was changed. Let payloads "
                "expire, or give Redis more memory"
            ) from fault
        except RedisError as fault:
            raise UnavailableError(f"the contents store at {self.name} can't do that: {fault}") from fault


def _exchange_once(connection: Any, packed: Sequence[Buffer], count: int) -> list[Any]:
    connection.send_packed_command(packed)
    return [_read(connection) for _ in range(count)]


def _read(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as refusal:
        return refusal


def _without_errors(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, RedisError):
            raise answer
    return answers


def _address(options: dict[str, Any]) -> str:
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
