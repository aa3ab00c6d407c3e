"""A large content in and out over HTTP: does the memory of the http process stay flat?

Memory is what the process has for itself (anonymous pages). Files of the store that it has mapped count as
resident too, but are the system's page cache, which it takes back when it needs room. The disk needs as much
free space as the content takes.

    python -m benchmarks.content_flow [--quick] [--gigabytes 10]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.harness import Figure, Report, run, scratch
from benchmarks.rigs import service
from jobengine.client import Client
from jobengine.model.beam.batch import Batch

NAME = "flow"
PACKET_BYTES = 256 * 1024
BATCH_PACKETS = 16
QUICK_GB = 3
SETTLED = 0.1
"""The part of a run behind which memory must not grow any more."""
FLAT_MB = 32.0
FORMAT = {"type": "format", "url": NAME, "streams": [{"type": "Stream", "time_base": [1, 25]}]}


def measure(report: Report, given: argparse.Namespace) -> None:
    """In, then out."""
    packets = (QUICK_GB if given.quick else given.gigabytes) * 2**30 // PACKET_BYTES
    with scratch() as folder, service(folder) as rig, Client(f"http://127.0.0.1:{rig.port}") as client:
        client.contents.create(FORMAT)
        process = _listener(rig.port)
        for way, flow in (("in", _put), ("out", _get)):
            seconds, before_mb, most_mb = _watch(process, flow(client, packets), packets)
            size_mb = packets * PACKET_BYTES / 1e6
            report.add(Figure(f"{size_mb:,.0f} MB {way}", "MB/s", size_mb / seconds))
            grown_mb = most_mb - before_mb
            what = f"{size_mb:,.0f} MB {way}: memory, most behind the first tenth"
            target = f"< {FLAT_MB:g} MB more"
            report.add(Figure(what, "MB", most_mb, before_mb, "at it", target, grown_mb < FLAT_MB))


def _watch(process: psutil.Process, flow: Iterator[int], packets: int) -> tuple[float, float, float]:
    """Seconds that all took; memory when the first part was through, and the most of it behind that."""
    begun = time.perf_counter()
    settled_mb: float | None = None
    most_mb = 0.0
    for done in flow:
        if done >= packets * SETTLED:
            now_mb = _anonymous_mb(process)
            settled_mb = now_mb if settled_mb is None else settled_mb
            most_mb = max(most_mb, now_mb)
    return time.perf_counter() - begun, settled_mb or 0.0, most_mb


def _put(client: Client, packets: int) -> Iterator[int]:
    payload = bytearray(os.urandom(PACKET_BYTES))
    for first in range(0, packets, BATCH_PACKETS):
        batch = Batch()
        for pts in range(first, min(first + BATCH_PACKETS, packets)):
            payload[:8] = pts.to_bytes(8, "big")
            batch.add({"type": "Packet", "pts": pts, "size": PACKET_BYTES}, [bytes(payload)])
        client.contents.put(NAME, "0", batch, "append")
        yield first + batch.elements


def _get(client: Client, packets: int) -> Iterator[int]:
    for done, (document, planes) in enumerate(client.contents.elements_with_payload(NAME, "0", "first-last")):
        if bytes(planes[0][:8]) != document["pts"].to_bytes(8, "big"):
            raise RuntimeError(f"the payload of packet {document['pts']} is another one's")
        if done % BATCH_PACKETS == 0:
            yield done
    if done + 1 != packets:
        raise RuntimeError(f"{done + 1} of {packets} packets came out")


def _listener(port: int) -> psutil.Process:
    """The process of this benchmark's service that has the port."""
    for process in psutil.Process().children(recursive=True):
        if any(each.status == "LISTEN" and each.laddr.port == port for each in process.net_connections()):
            return process
    raise RuntimeError(f"nobody listens on port {port}")


def _anonymous_mb(process: psutil.Process) -> float:
    text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Anonymous:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    run("A large content over HTTP", measure, ("--gigabytes", 10))
