"""A real HTTP server whose answers a test scripts: for faults that a sound service does not show."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = Any


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Json


@dataclass(frozen=True)
class Answer:
    """What to say. ``body`` None: none; bytes: as they are; else JSON. ``hang_up``: close without a word."""

    status: int = 200
    body: Json = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    stream: Callable[[Asked], Iterator[bytes]] | None = None


def problem(status: int, code: str, **members: Json) -> Answer:
    """A problem document as the service writes it."""
    body = {"type": f"/api/problems/{code}", "status": status, "code": code, "detail": "it is so", **members}
    return Answer(status, body, {"Content-Type": "application/problem+json"})


class ScriptedService:
    """Answers each route from its script, in order; the last answer stays."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._scripts: dict[tuple[str, str], deque[Answer]] = defaultdict(deque)
        self._lock = threading.Lock()

    def on(self, method: str, path: str, *answers: Answer) -> None:
        with self._lock:
            self._scripts[method, path] = deque(answers)

    def take(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            script = self._scripts.get((asked.method, asked.path))
            if not script:
                return problem(404, "not-found", detail=f"{asked.method} {asked.path} is not scripted")
            return script.popleft() if len(script) > 1 else script[0]

    def requests(self, method: str, path: str) -> list[Asked]:
        with self._lock:
            return [a for a in self.asked if (a.method, a.path) == (method, path)]


def sse(sequence: int, type: str = "job.state", job_id: str = "j1", **data: Json) -> bytes:
    """One event as the service writes it."""
    body = {
        "sequence": sequence,
        "time": "2026-01-01T00:00:00.000000Z",
        "type": type,
        "jobId": job_id,
        "data": data,
    }
    return f"id: {sequence}\nevent: {type}\ndata: {json.dumps(body)}\n\n".encode()


@contextmanager
def scripted_service() -> Iterator[ScriptedService]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.service = ScriptedService(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.service
    finally:
        server.service.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    service: ScriptedService
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = Asked(self.command, parts.path, query, dict(self.headers), json.loads(raw) if raw else None)
        answer = self.server.service.take(asked)
        if answer.hang_up:
            self.close_connection = True
            return
        if answer.stream is not None:
            self._stream(answer.stream(asked))
            return
        body = b"" if answer.body is None else answer.body
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, chunks: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        for chunk in chunks:
            self.wfile.write(chunk)
            self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve
