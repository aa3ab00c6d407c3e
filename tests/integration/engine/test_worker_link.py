"""The worker's end of the channel over real sockets: an engine that comes, goes and comes again."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zmq

from jobengine.clock import to_text
from jobengine.messaging.addresses import Addresses
from jobengine.messaging.engine_sockets import EngineSockets
from jobengine.messaging.spool import Spool, read_spool
from jobengine.messaging.worker_channel import DealerChannel
from jobengine.messaging.worker_link import WorkerLink
from jobengine.messaging.worker_messages import (
    Acknowledge,
    Changed,
    Hello,
    Position,
    Sync,
    ToWorker,
)
from jobengine.testing.clock import START
from tests.waiting import wait_until

IDENTITY = "job:4711"


def report(sequence: int, **info: Any) -> Changed:
    return Changed(
        sequence=sequence,
        time=to_text(START),
        position=Position(sequence, "1/48000"),
        requested="None",
        state="Running",
        info=info,
    )


@pytest.fixture
def context() -> Iterator[zmq.Context[Any]]:
    context: zmq.Context[Any] = zmq.Context()
    yield context
    context.term()


@pytest.fixture
def ends(tmp_path: Path) -> Addresses:
    return Addresses(
        *(f"ipc://{tmp_path}/{name}" for name in ("requests", "notices", "workers", "http", "rehearsals"))
    )


@pytest.fixture
def link(context: zmq.Context[Any], ends: Addresses, tmp_path: Path) -> Iterator[WorkerLink]:
    link = WorkerLink(DealerChannel(context, ends.workers, IDENTITY), Spool(tmp_path / "spool"))
    yield link
    link.close()


def test_who_wakes_closed_sockets_is_not_bothered(context: zmq.Context[Any], ends: Addresses) -> None:
    with engine(context, ends) as sockets:
        pass
    sockets.wake()


@contextmanager
def engine(context: zmq.Context[Any], ends: Addresses) -> Iterator[EngineSockets]:
    sockets = EngineSockets(context, ends)
    try:
        yield sockets
    finally:
        sockets.close()


def hear(sockets: EngineSockets, link: WorkerLink, count: int) -> list[Changed]:
    """The next reports of the worker, which tries to send meanwhile."""
    heard: list[Changed] = []

    def enough() -> bool:
        link.flush()
        arrived = [message for _, message in sockets.poll(10, (), 1000).reports]
        heard.extend(message for message in arrived if isinstance(message, Changed))
        return len(heard) >= count

    wait_until(enough, f"{count} reports of the worker")
    return heard


def told(link: WorkerLink, command: Callable[[ToWorker], bool]) -> None:
    wait_until(lambda: any(command(c) for c in link.receive(50)), "the command")


def test_reports_made_without_an_engine_arrive_in_order(
    context: zmq.Context[Any], ends: Addresses, link: WorkerLink
) -> None:
    assert not link.say(Hello(1, 4711))
    made = [report(n) for n in range(1, 2001)]
    for one in made:
        link.report(one)
    with engine(context, ends) as sockets:
        assert hear(sockets, link, 2000) == made
        assert not link.is_settled
        assert not link.was_acknowledged()
        sockets.command(IDENTITY, Acknowledge("e", 2000))
        wait_until(lambda: link.receive(0) == [] and link.is_settled, "all is acknowledged")
    assert link.was_acknowledged()
    assert not link.was_acknowledged()


def test_command_that_came_while_the_worker_spoke_is_read_without_waiting_for_another(
    context: zmq.Context[Any], ends: Addresses, link: WorkerLink
) -> None:
    with engine(context, ends) as sockets:
        wait_until(lambda: _is_reached(sockets, link), "the worker is connected")
        sockets.command(IDENTITY, Sync("e", 0, 1))
        wait_until(lambda: link.receive(0) != [], "one command comes")
        for number in range(20):
            sockets.command(IDENTITY, Sync("e", 0, number))
            sockets.poll(10, (), 1000)
            link.say(Hello(1, 4711))
            told(link, partial(_has_revision, number))


def _has_revision(number: int, command: ToWorker) -> bool:
    return isinstance(command, Sync) and command.revision == number


def test_descriptors_of_a_work_end_a_wait_as_commands_do(link: WorkerLink) -> None:
    ours, theirs = os.pipe()
    try:
        os.write(theirs, b"x")
        assert link.receive(60_000, (ours,)) == []
    finally:
        os.close(ours)
        os.close(theirs)


def test_sync_of_the_next_engine_brings_what_was_not_committed(
    context: zmq.Context[Any], ends: Addresses, link: WorkerLink
) -> None:
    made = [report(n) for n in range(1, 6)]
    with engine(context, ends) as sockets:
        for one in made[:4]:
            link.report(one)
        hear(sockets, link, 4)
    link.report(made[4])
    with engine(context, ends) as sockets:
        wait_until(lambda: _is_reached(sockets, link), "the worker is connected again")
        sockets.command(IDENTITY, Sync("e2", 2, 1))
        told(link, lambda c: isinstance(c, Sync))
        assert hear(sockets, link, 3) == made[2:]


def _is_reached(sockets: EngineSockets, link: WorkerLink) -> bool:
    link.say(Hello(1, 4711))
    return any(isinstance(message, Hello) for _, message in sockets.poll(10, (), 1000).reports)


def test_spool_holds_every_report_that_was_made(link: WorkerLink, tmp_path: Path) -> None:
    made = [report(n, text="x" * n) for n in range(1, 50)]
    for one in made:
        link.report(one)
    assert list(read_spool(tmp_path / "spool")) == made


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_torn_record_ends_the_spool(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    for n in (1, 2, 3):
        spool.append(report(n))
    spool.close()
    path.write_bytes(path.read_bytes()[:-cut])
    assert [one.sequence for one in read_spool(path)] == [1, 2]


def test_missing_spool_is_empty(tmp_path: Path) -> None:
    assert list(read_spool(tmp_path / "none")) == []


def test_full_disk_keeps_no_report_from_the_engine(context: zmq.Context[Any], ends: Addresses) -> None:
    link = WorkerLink(DealerChannel(context, ends.workers, IDENTITY), Spool(Path("/dev/full")))
    try:
        with engine(context, ends) as sockets:
            link.report(report(1))
            assert hear(sockets, link, 1) == [report(1)]
    finally:
        link.close()


@pytest.mark.parametrize(
    "packed",
    [b"\xffnonsense", b"\x81\xa1a" * 5_000 + b"\xc0", b"\x81\xa4type\xa2\xff\xff"],
    ids=["no object", "deep", "no text"],
)
def test_unreadable_message_is_dropped_and_the_next_one_read(
    context: zmq.Context[Any], ends: Addresses, link: WorkerLink, packed: bytes
) -> None:
    with engine(context, ends) as sockets:
        stranger = context.socket(zmq.DEALER)
        stranger.setsockopt(zmq.IDENTITY, b"\xff")
        stranger.connect(ends.workers)
        stranger.send(packed)
        link.report(report(1))
        assert hear(sockets, link, 1) == [report(1)]
        stranger.close(linger=0)


def test_disk_that_takes_a_part_only_keeps_nothing_of_the_report(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path)
    spool.append(report(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
    try:
        with pytest.raises(OSError, match="only a part"):
            spool.append(report(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    spool.append(report(3))
    spool.close()
    assert [one.sequence for one in read_spool(path)] == [1, 3]
