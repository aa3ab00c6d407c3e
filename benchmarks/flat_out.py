"""A job that re-streams as fast as it can, beside bare pyzmq that sends the same bytes to the same reader.

The same bytes are the same messages: as many of them, each with its topic, its record as the job's codec
writes it, and its payload. pyzmq has them all in its memory, ready to be sent, before the clock starts; the
job finds them in the store. No payload shares its memory with another one: a single buffer sent again and
again would be sent out of the processor's caches, and a program that has so many bytes to send can't do that.

Both may have as much under way: as many messages in libzmq's queue, and no more than `CREDIT_BYTES` of them,
which pyzmq can only say in messages. Payloads from 64 kB on are not copied, by either of them. Each sender
has a session of its own, as services and their workers have: Linux shares the processors out by session
(``sched_autogroup_enabled``), so a sender in the session of its reader would be scheduled in another way.

What is compared is how fast elements flow, so a run is to be long beside a job's beginning and end, when the
service writes its history: all is sent several times, by the job as loops over the content. The first element
has a benchmark of its own.

Single runs differ by half on a small machine, where senders and reader share the processors. So the two take
turns, and what counts is the median.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from multiprocessing.connection import Connection

import zmq

from benchmarks.beside import beside
from benchmarks.element_sink import PATIENCE_S, Sink
from benchmarks.harness import Figure, Report, median, take_turns
from benchmarks.restream_rig import element, submit
from benchmarks.rigs import ServiceRig
from jobengine.messaging.sockets.departures import CREDIT_BYTES
from jobengine.messaging.sockets.endpoint import ZERO_COPY_BYTES
from jobengine.messaging.sockets.native import NativeEncoder
from jobengine.model.socket_options import SinkOptions
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import SinkStream

KINDS = ("dealer", "pub")
TARGET = 0.9


@dataclass(frozen=True, slots=True)
class Case:
    """So many stored elements of one size, sent ``times`` times in each of the ``rounds``."""

    size: int
    count: int
    times: int
    rounds: int


def flat_out(report: Report, rig: ServiceRig, sink: Sink, content: str, case: Case) -> None:
    """A job over a content and bare pyzmq, by turns; elements per second."""
    with bare_sender(case) as bare:
        for kind in KINDS:
            taken = take_turns(
                {
                    "ours": lambda kind=kind: job_rate(rig, sink, kind, content, case),  # type: ignore[misc]
                    "pyzmq": lambda kind=kind: bare_rate(bare, sink, kind, case),  # type: ignore[misc]
                },
                case.rounds,
            )
            ours, other = median(taken["ours"]), median(taken["pyzmq"])
            what = f"{kind}, {case.size // 1000} kB, flat out"
            is_met = ours >= TARGET * other
            report.add(Figure(what, "elements/s", ours, other, "pyzmq", f">= {TARGET:g} x", is_met))


def job_rate(rig: ServiceRig, sink: Sink, kind: str, content: str, case: Case) -> float:
    """Elements per second of one job, from the first to the last at the sink."""
    topic = f"job-{kind}-{time.monotonic_ns()}"
    sink.expect(topic, case.times * case.count)
    job_id = submit(rig, topic, content, sink.url[kind], {"pacing": {"mode": "fast"}, "loops": case.times})
    first, last = sink.seconds()
    rig.wait_state(job_id, "Finished")
    return (case.times * case.count - 1) / (last - first)


def bare_rate(bare: Connection, sink: Sink, kind: str, case: Case) -> float:
    """Elements per second of a program that only sends."""
    topic = f"bare-{kind}-{time.monotonic_ns()}"
    sink.expect(topic, case.times * case.count)
    bare.send((kind, sink.url[kind].partition(":")[2], topic))
    first, last = sink.seconds()
    bare.recv()
    return (case.times * case.count - 1) / (last - first)


@contextmanager
def bare_sender(case: Case) -> Iterator[Connection]:
    """A process that has everything ready; told kind of socket, address and topic it sends, then answers."""
    with beside(serve_bare, case) as sender:
        yield sender.connection


def serve_bare(connection: Connection, case: Case) -> None:
    """The bare sender's process."""
    os.setsid()
    encoder = NativeEncoder(SinkStream("bare", {}, {}))
    content = memoryview(os.urandom(case.size))
    messages = [
        encoder.element(element(number, 1, case.size), [bytes(content)])[1:] for number in range(case.count)
    ]
    gc.freeze()
    connection.send(True)
    while True:
        kind, address, topic = connection.recv()
        send_bare(kind, address, topic, messages, case.times)
        connection.send(True)


def send_bare(kind: str, address: str, topic: str, messages: Sequence[Sequence[Buffer]], times: int) -> None:
    """Send all messages so many times over a socket of their own; returns when they have left the process."""
    size = len(messages[0][-1])
    with zmq.Context() as context, context.socket(zmq.DEALER if kind == "dealer" else zmq.XPUB) as socket:
        socket.setsockopt(zmq.LINGER, int(PATIENCE_S * 1000))
        socket.setsockopt(zmq.SNDHWM, min(SinkOptions().send_hwm, CREDIT_BYTES // size))
        if kind == "pub":
            socket.setsockopt(zmq.XPUB_NODROP, 1)
        socket.connect(address)
        if kind == "pub":
            socket.recv()
        copy = size < ZERO_COPY_BYTES
        name = topic.encode()
        for message in chain.from_iterable(repeat(messages, times)):
            socket.send_multipart((name, *message), copy=copy)
