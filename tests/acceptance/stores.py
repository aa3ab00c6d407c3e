"""Services on each of the stores that several processes can share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.redis_servers import running
from tests.services import Service

STORES = ("files", "redis")


@contextmanager
def service_on(store: str, data: Path) -> Iterator[Service]:
    """A service that was not started yet, whose contents are in files or in a Redis of its own."""
    if store == "files":
        yield from _removed(Service(data))
        return
    with running() as redis:
        yield from _removed(Service(data, contents__url=redis.url("stories")))


def _removed(service: Service) -> Iterator[Service]:
    try:
        yield service
    finally:
        service.remove()
