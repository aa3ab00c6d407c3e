"""The contents store in Redis against the Beam Engine's layout and the bare server.

Elements of about 16 kB and of about 1 kB with 400 bytes of attributes, committed 64 at a time, on a private
Redis without a file, over its socket. "beam" is what the Beam Engine keeps for an element - a hash, a string
with the payload that expires, a member of a sorted set - with the same client and as many in one pipeline.
"bare" is redis-benchmark: C, one connection, as many SET or GET in a pipeline and nothing else.

    python -m benchmarks.contents_redis [--quick] [--rounds 5] [--elements 4096]
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
from collections.abc import Callable
from typing import Any

import redis

from benchmarks.harness import Figure, Report, median, run, take_turns, timed
from jobengine.clock import SystemClock
from jobengine.contents.redis_store.opening import open_redis_store
from jobengine.ids import new_element_id
from jobengine.model.element import Element, ElementKind, Gap, StoredElement
from jobengine.ports.contents import ContentStore, PutElement
from tests.begun import begun
from tests.redis_servers import RedisServer, running

ATTRIBUTES_BYTES = 400
BATCH = 64
GOP = 30
LOOK_UPS = 100
STREAM = 1
EXPIRES_MS = 3_600_000


class Ours:
    """The store."""

    def __init__(self, store: ContentStore, payloads: list[bytes]) -> None:
        self._store = store
        self._payloads = payloads

    def ingest(self) -> None:
        """Store all elements."""
        begun(self._store, [STREAM])
        attributes = os.urandom(ATTRIBUTES_BYTES)
        for start in range(0, len(self._payloads), BATCH):
            batch = self._payloads[start : start + BATCH]
            self._store.commit([_put(start + n, data, attributes) for n, data in enumerate(batch)])

    def scan(self) -> None:
        """Read all of them back with their payloads, in order of arrival."""
        sequence = 0
        while found := self._store.scan(STREAM, sequence, BATCH):
            elements = [each for each in found if isinstance(each, StoredElement)]
            assert all(planes is not None for planes in self._store.payloads(elements))
            last = found[-1]
            sequence = (last.last_sequence if isinstance(last, Gap) else last.sequence) + 1

    def find(self) -> None:
        """Look up a hundred by pts."""
        for pts in range(0, len(self._payloads), len(self._payloads) // LOOK_UPS):
            assert len(self._store.range(STREAM, pts, pts)) == 1


class Beam:
    """The layout of the Beam Engine."""

    def __init__(self, client: redis.Redis, payloads: list[bytes]) -> None:
        self._client = client
        self._payloads = payloads

    def ingest(self) -> None:
        """Store all elements."""
        attributes = os.urandom(ATTRIBUTES_BYTES)
        for start in range(0, len(self._payloads), BATCH):
            with self._client.pipeline(transaction=False) as pipeline:
                for pts in range(start, min(start + BATCH, len(self._payloads))):
                    fields: Any = {
                        "pts": pts,
                        "dts": pts,
                        "duration": 1,
                        "id": new_element_id(),
                        "all": attributes,
                    }
                    pipeline.hset(f"beam:{pts}", mapping=fields)
                    pipeline.set(f"beam:{pts}:data", self._payloads[pts], px=EXPIRES_MS)
                    pipeline.zadd("beam", {f"beam:{pts}": pts})
                pipeline.execute()

    def scan(self) -> None:
        """Read all of them back with their payloads, in order."""
        for start in range(0, len(self._payloads), BATCH):
            found: Any = self._client.zrange("beam", start, start + BATCH - 1)
            keys = [key.decode() for key in found]
            with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hgetall(key)
                    pipeline.get(f"{key}:data")
                assert all(pipeline.execute())

    def find(self) -> None:
        """Look up a hundred by pts."""
        for pts in range(0, len(self._payloads), len(self._payloads) // LOOK_UPS):
            found: Any = self._client.zrangebyscore("beam", pts, pts)
            assert self._client.hgetall(found[0])


def measure(report: Report, given: argparse.Namespace) -> None:
    """All figures, for both sizes."""
    count, rounds = (1024, 3) if given.quick else (given.elements, given.rounds)
    for name, size in (("16 kB", 16_000), ("1 kB", 1_000)):
        sizes = random.Random(1)  # sizes that are powers of two would waste a quarter in malloc
        payloads = [os.urandom(sizes.randrange(size // 2, size * 3 // 2)) for _ in range(count)]
        with running() as server, server.client() as client:
            store = open_redis_store(server.url("bench"), SystemClock())
            try:
                trial = Trial(server, Ours(store, payloads), Beam(client, payloads), payloads)
                _report(report, name, trial, rounds)
            finally:
                store.close()


class Trial:
    """Both by turns on one server."""

    def __init__(self, server: RedisServer, ours: Ours, beam: Beam, payloads: list[bytes]) -> None:
        self.memory: dict[str, float] = {}
        self._server = server
        self._count = len(payloads)
        self._total_bytes = sum(len(payload) for payload in payloads)
        self.cases: dict[str, Callable[[], float]] = {
            "ours in": lambda: self._fresh("ours", ours.ingest),
            "ours out": lambda: self._count / timed(ours.scan),
            "ours found": lambda: LOOK_UPS / timed(ours.find),
            "beam in": lambda: self._fresh("beam", beam.ingest),
            "beam out": lambda: self._count / timed(beam.scan),
            "beam found": lambda: LOOK_UPS / timed(beam.find),
            "bare in": lambda: self._bare("set"),
            "bare out": lambda: self._bare("get"),
        }

    def _fresh(self, name: str, ingest: Callable[[], None]) -> float:
        with self._server.client() as client:
            client.flushall()
            before = client.info("memory")["used_memory"]
            rate = self._count / timed(ingest)
            self.memory[name] = (client.info("memory")["used_memory"] - before) / self._total_bytes
            return rate

    def _bare(self, command: str) -> float:
        size, count = str(self._total_bytes // self._count), str(self._count)
        words = ["redis-benchmark", "-s", str(self._server.socket), "-t", command, "-d", size, "--csv"]
        words += ["-c", "1", "-P", str(BATCH), "-n", count, "-r", count]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
        return float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))


def _report(report: Report, name: str, trial: Trial, rounds: int) -> None:
    rate = {case: median(values) for case, values in take_turns(trial.cases, rounds).items()}
    for case, what in (("in", "stored"), ("out", "scanned with payload")):
        for other in ("beam", "bare"):
            report.add(Figure(f"{name}: {what}", "/s", rate[f"ours {case}"], rate[f"{other} {case}"], other))
    report.add(Figure(f"{name}: look-ups by pts", "/s", rate["ours found"], rate["beam found"], "beam"))
    memory = trial.memory
    report.add(Figure(f"{name}: memory per byte of payload", "B", memory["ours"], memory["beam"], "beam"))


def _put(pts: int, payload: bytes, attributes: bytes) -> PutElement:
    element = Element(
        ElementKind.PACKET, pts, pts, 1, pts % GOP == 0, (len(payload),), attributes, new_element_id()
    )
    return PutElement(STREAM, element, [payload])


if __name__ == "__main__":
    run("Contents in Redis", measure, ("--rounds", 5), ("--elements", 4096))
