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
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError
from redis.retry import Retry

from jobengine.errors import UnavailableError
from jobengine.ports.contents import Buffer

Command = Sequence[Buffer | str | int]
_RETRIES: Final = 3
_READ_SIZE_BYTES: Final = 2**20


class RedisServer:
    """One server, reached through a pool of connections; thread-safe. Blocks for ``timeout_s`` per try."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._scripts: dict[str, str] = {}
        pool = redis.ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_read_size=_READ_SIZE_BYTES,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _RETRIES),
            decode_responses=False,
            protocol=2,
        )
        self._client: Any = redis.Redis(connection_pool=pool)
        self.name = str(pool.connection_kwargs.get("path") or _address(pool.connection_kwargs))

    def call(self, *command: Buffer | str | int) -> Any:
        """One command. Raises UnavailableError."""
        with self._failures_translated():
            return self._client.execute_command(*command)

    def call_all(self, commands: Sequence[Command], *, at_once: bool = False) -> list[Any]:
        """Commands in one round trip; ``at_once``: nothing of others comes in between."""
        if not commands:
            return []
        with self._failures_translated(), self._client.pipeline(transaction=at_once) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Any] = pipeline.execute()
            return replies

    def run(
        self, script: str, keys: Sequence[bytes], arguments: Command, before: Sequence[Command] = ()
    ) -> Any:
        """A script, in the same round trip as commands that stand ``before`` it."""
        with self._failures_translated():
            try:
                return self._run(script, keys, arguments, before)
            except NoScriptError:
                self._scripts.pop(script, None)
                return self._run(script, keys, arguments, before)

    def close(self) -> None:
        """Close all connections."""
        self._client.connection_pool.disconnect()

    def _run(self, script: str, keys: Sequence[bytes], arguments: Command, before: Sequence[Command]) -> Any:
        if script not in self._scripts:
            self._scripts[script] = self._client.script_load(script)
        call = ("EVALSHA", self._scripts[script], len(keys), *keys, *arguments)
        if not before:
            return self._client.execute_command(*call)
        with self._client.pipeline(transaction=False) as pipeline:
            for command in before:
                pipeline.execute_command(*command)
            pipeline.execute_command(*call)
            *replies, answer = pipeline.execute(raise_on_error=False)
        if isinstance(answer, RedisError):
            raise next((reply for reply in replies if isinstance(reply, OutOfMemoryError)), answer)
        return answer

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


def _address(options: dict[str, Any]) -> str:
    return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
