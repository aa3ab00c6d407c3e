"""GET of a payload: ours, nginx that sends the same bytes as files, and Flask over Redis, by turns.

Ours is a whole service over the embedded store, with keys, guards, rules and metrics in force. The client is
the same for all and runs on the same machine, so where it is the limit, ratios come out nearer to 1.

    python -m benchmarks.content_http [--quick] [--clients 16] [--rounds 5]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

from benchmarks.flask_redis_beam import flask_server, redis_server
from benchmarks.harness import Figure, Report, median, run, scratch, take_turns
from benchmarks.http_gets import Getter, is_up
from benchmarks.rigs import free_port, service
from tests.waiting import wait_until

SIZES = {"16 kB": (16_384, 0.5), "1 MB": (1_000_000, 0.8)}
PAYLOADS = 40
FLASK_TARGET = 5.0
FORMAT = {"type": "format", "url": "bench", "streams": [{"type": "Stream", "time_base": [1, 25]}]}
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=1000;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; root {folder}/files; default_type application/octet-stream; }}
}}
"""


def measure(report: Report, given: argparse.Namespace) -> None:
    """Each size by turns on all servers."""
    seconds, rounds = (0.5, 2) if given.quick else (2.0, given.rounds)
    with scratch() as folder, service(folder) as rig, redis_server(folder) as redis_port:
        for name, (size, target) in SIZES.items():
            payloads = {pts: bytes([pts % 256]) * size for pts in range(100, 100 + PAYLOADS)}
            _fill(rig.port, payloads)
            paths = [f"/beams/bench/stream_0/packet_{pts}/data" for pts in payloads]
            with (
                scratch() as web,
                _nginx(web, payloads) as nginx,
                flask_server(redis_port, payloads) as flask,
            ):
                cases = {
                    server: partial(Getter(port, paths, size, given.clients).rate, seconds)
                    for server, port in (("ours", rig.port), ("flask", flask), ("nginx", nginx))
                    if port
                }
                rates = {server: median(found) for server, found in take_turns(cases, rounds).items()}
            ours = rates["ours"]
            if "nginx" in rates:
                ratio = ours / rates["nginx"]
                report.add(
                    Figure(
                        f"GET {name}", "/s", ours, rates["nginx"], "nginx", f">= {target}", ratio >= target
                    )
                )
            is_met = ours / rates["flask"] >= FLASK_TARGET
            report.add(
                Figure(
                    f"GET {name}", "/s", ours, rates["flask"], "Flask + Redis", f">= {FLASK_TARGET:g}", is_met
                )
            )


def _fill(port: int, payloads: dict[int, bytes]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/beams", timeout=30) as client:
        client.delete("/bench")
        client.post("", json=FORMAT).raise_for_status()
        octets = {"Content-Type": "application/octet-stream"}
        for pts, payload in payloads.items():
            place = f"/bench/0/packet_{pts}"
            client.put(place, json={"type": "Packet", "size": len(payload)}).raise_for_status()
            client.put(f"{place}/data", content=payload, headers=octets).raise_for_status()


@contextmanager
def _nginx(folder: Path, payloads: dict[int, bytes]) -> Iterator[int]:
    """nginx over the payloads as files; its port, 0 where there is no nginx."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        print("nginx is not installed; the comparison with it is left out")
        yield 0
        return
    for pts, payload in payloads.items():
        file = folder / f"files/beams/bench/stream_0/packet_{pts}/data"
        file.parent.mkdir(parents=True)
        file.write_bytes(payload)
    folder.chmod(0o755)
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port))
    process = subprocess.Popen([program, "-c", str(config), "-e", str(folder / "error.log")])
    try:
        wait_until(partial(is_up, port), "nginx answers")
        yield port
    finally:
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    run("Payloads over HTTP", measure, ("--clients", 16), ("--rounds", 5))
