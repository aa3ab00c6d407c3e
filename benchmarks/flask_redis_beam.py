"""What the Content Beam API is without a store of its own: Flask and redis-py, each payload a Redis string.

It does for a GET what the original does: reads the element's hash and its payload, and answers both.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import redis
from flask import Flask, Response, abort
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from benchmarks.http_gets import is_up
from benchmarks.rigs import free_port
from tests.waiting import wait_until

THREADS = 96


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """A Redis that keeps nothing on disk; its port."""
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(partial(is_up, port), "Redis answers")
        yield port
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def flask_server(redis_port: int, payloads: Mapping[int, bytes]) -> Iterator[int]:
    """The server with payloads by their pts; its port."""
    client = redis.Redis(port=redis_port)
    for pts, payload in payloads.items():
        key = f"beamengine:bench:stream_0:packet_{pts}"
        client.hset(key, mapping={"type": "Packet", "pts": pts, "size": len(payload), "stream_index": 0})
        client.set(f"{key}:data", payload)
    client.close()
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.flask_redis_beam", str(port), str(redis_port)]
    process = subprocess.Popen(command, cwd=Path(__file__).parent.parent)
    try:
        wait_until(partial(is_up, port), "the Flask server answers")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def load(redis_port: int) -> Callable[..., Any]:
    """The application."""
    application = Flask(__name__)
    client = redis.Redis(port=redis_port, max_connections=THREADS)

    @application.get("/beams/<content>/<stream>/packet_<int(signed=True):pts>/data")
    def payload(content: str, stream: str, pts: int) -> Response:
        key = f"beamengine:{content}:{stream}:packet_{pts}"
        element = client.hgetall(key)
        data = client.get(f"{key}:data")
        if not element or data is None:
            abort(404)
        return Response(data, mimetype="application/octet-stream", headers={"Beam-PTS": str(pts)})

    return application


def main() -> None:
    """Serve until SIGTERM."""
    port, redis_port = int(sys.argv[1]), int(sys.argv[2])
    server = MPServer(
        "bench",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        log_level=LogLevels.error,
    )
    server.serve(target_loader=partial(load, redis_port), wrap_loader=False)


if __name__ == "__main__":
    main()
