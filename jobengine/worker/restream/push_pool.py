"""What jobs of one process share that push to one service: connections, a few threads, a circuit breaker."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from jobengine.clock import Clock
from jobengine.errors import MediaError
from jobengine.messaging.sockets.breaker import Breaker
from jobengine.model.push import PushPlace, PushTarget, target_of
from jobengine.model.sink import SinkTerms
from jobengine.ports.sink import SinkStream
from jobengine.tls_trust import authorities_for
from jobengine.worker.restream.grouped_sink import GroupedSink
from jobengine.worker.restream.push_writer import PushWriter, authorization

THREADS = 4
"""Batches that are on their way to one service at once; those of further jobs wait their turn."""


@dataclass(frozen=True, slots=True)
class _Service:
    client: httpx.Client
    executor: ThreadPoolExecutor
    breaker: Breaker


class PushPool:
    """Owns the connections. As many services as the operator allows are known at most. For one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._services: dict[str, _Service] = {}

    def open(
        self, place: PushPlace, targets: Sequence[PushTarget], terms: SinkTerms, stream: SinkStream
    ) -> GroupedSink:
        """A sink for one job. Raises MediaError if nobody may push there, or its key can't be read."""
        target = target_of(place.stream_url, targets)
        if target is None:
            raise MediaError(f"{place.stream_url} is not below a URL of engine.push_targets")
        service = self._services.get(place.origin)
        if service is None:
            service = self._services[place.origin] = _Service(
                _client(place.origin), ThreadPoolExecutor(THREADS, "pushes"), Breaker()
            )
        send_s, answer_s = terms.send_timeout_ms / 1000, terms.receive_timeout_ms / 1000
        timeout = httpx.Timeout(connect=send_s, write=send_s, read=answer_s, pool=send_s)
        writer = PushWriter(service.client, place, stream, authorization(target.key_file), timeout)
        return GroupedSink(writer, service.executor, self._clock, service.breaker)

    def close(self) -> None:
        """Wait for what is on its way, within its time limits, and close the connections."""
        while self._services:
            _, service = self._services.popitem()
            service.executor.shutdown(cancel_futures=True)
            service.client.close()


def _client(origin: str) -> httpx.Client:
    return httpx.Client(trust_env=False, verify=authorities_for(origin, may_lead_to_tls=False))
