"""Real forks: workers are started warm, and their end is known however it came."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import zmq

from jobengine.clock import SystemClock
from jobengine.messaging.addresses import Addresses
from jobengine.messaging.engine_sockets import EngineSockets
from jobengine.messaging.worker_messages import Hello, Keep, Release, WorkerSurroundings
from jobengine.ports.work import WorkerEnded, WorkerProcess, WorkerStarted
from jobengine.worker import nursery_process
from jobengine.worker.launcher import NurseryLauncher
from jobengine.worker.nursery_keeper import NurseryKeeper
from tests.processes import await_end, has_ended, name_of
from tests.waiting import PATIENCE_S, wait_until

News = WorkerStarted | WorkerEnded
_ENDS = ("requests", "notices", "workers", "http", "rehearsals")


def surroundings(address: str, folder: Path) -> WorkerSurroundings:
    return WorkerSurroundings(address, str(folder), (), (), 30.0)


class Service:
    """As much of a service as a nursery needs."""

    def __init__(self, folder: Path, spares: int = 0, contents: str = "") -> None:
        self.folder = folder
        self.context: zmq.Context[Any] = zmq.Context()
        ends = Addresses(*(f"ipc://{folder}/{name}" for name in _ENDS))
        self.sockets = EngineSockets(self.context, ends)
        known = msgspec.structs.replace(surroundings(ends.workers, folder), contents=contents)
        self.keep = Keep(spares, ends.workers, str(folder), str(folder / "rehearsals"), contents)
        self.launcher = NurseryLauncher(known, NurseryKeeper(self.keep, SystemClock()))
        self.news: list[News] = []
        self.greeted: dict[int, str] = {}

    def close(self) -> None:
        for process_id in list(self.greeted):
            self.launcher.kill(process_id)
        self.launcher.close()
        self.sockets.close()
        self.context.term()

    def launch(self, job_id: str, group: str = "") -> int:
        """Start a worker and wait until it asks for its job; its process id."""
        self.launch_unheard(job_id, group)
        started = self.wait_for(lambda one: isinstance(one, WorkerStarted) and one.job_id == job_id)
        wait_until(lambda: self.turn() and started.process_id in self.greeted, "the worker's hello")
        process_id: int = started.process_id
        return process_id

    def launch_unheard(self, job_id: str, group: str = "") -> None:
        """Ask for a worker, and don't hear what comes of it."""
        spool, log = self.folder / f"{job_id}.reports", self.folder / f"{job_id}.log"
        self.launcher.launch(WorkerProcess(job_id, spool, log, group))

    def spares(self, count: int, name: str = "spare worker") -> list[psutil.Process]:
        """Wait until so many workers wait for a job; they."""

        def waiting() -> list[psutil.Process] | None:
            self.turn()
            children = psutil.Process().children(recursive=True)
            found = [child for child in children if name_of(child) == name]
            return found if len(found) == count else None

        return wait_until(waiting, f"{count} of {name}") or []

    def shared(self) -> psutil.Process:
        """Wait until there is the worker that light jobs share; it."""
        return self.spares(1, "shared light")[0]

    def wait_until_nursery_is_another(self, process_id: int) -> None:
        """Until the launcher has noticed that its nursery died."""

        def is_another() -> bool:
            self.turn()
            children = [child.pid for child in psutil.Process().children()]
            return bool(children) and process_id not in children

        wait_until(is_another, "another nursery")

    def ended(self, process_id: int) -> int | None:
        """Wait for the end of a worker; how it ended."""
        one = self.wait_for(lambda one: isinstance(one, WorkerEnded) and one.process_id == process_id)
        assert isinstance(one, WorkerEnded)
        self.greeted.pop(process_id, None)
        return one.status

    def wait_for(self, wanted: Any) -> Any:
        def found() -> News | None:
            self.turn()
            return next((one for one in self.news if wanted(one)), None)

        return wait_until(found, "news of a worker")

    def turn(self) -> bool:
        arrivals = self.sockets.poll(20, self.launcher.filenos(), 100)
        self.news += self.launcher.collect(arrivals.descriptors)
        for identity, message in arrivals.reports:
            if isinstance(message, Hello):
                self.greeted[message.process_id] = identity
        return True


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.close()


def test_worker_that_is_released_ends_by_itself(service: Service) -> None:
    process_id = service.launch("one")
    assert os.getsid(process_id) == process_id
    service.sockets.command(service.greeted[process_id], Release("e", fenced=True))
    assert service.ended(process_id) == 0


def test_killed_worker_is_noticed_with_its_signal(service: Service) -> None:
    process_id = service.launch("one")
    os.kill(process_id, signal.SIGKILL)
    assert service.ended(process_id) == -9


def test_stopped_worker_without_a_job_ends_in_peace(service: Service) -> None:
    process_id = service.launch("one")
    os.kill(process_id, signal.SIGTERM)
    assert service.ended(process_id) == 0


def test_dead_nursery_is_started_again_and_its_workers_are_watched_on(service: Service) -> None:
    first = service.launch("one")
    nursery = psutil.Process(first).parent()
    assert nursery is not None
    nursery.kill()
    service.wait_until_nursery_is_another(nursery.pid)
    second = service.launch("two")
    os.kill(first, signal.SIGKILL)
    assert service.ended(first) is None
    os.kill(second, signal.SIGKILL)
    assert service.ended(second) == -9
    assert service.launcher.failures == {"nursery": 1, "shared": 0, "spare": 0}


def test_launch_lost_with_its_nursery_is_asked_of_the_next(service: Service, tmp_path: Path) -> None:
    first = service.launch("one")
    nursery = psutil.Process(first).parent()
    assert nursery is not None
    nursery.suspend()
    service.launcher.launch(WorkerProcess("two", tmp_path / "two.reports", tmp_path / "two.log"))
    nursery.kill()
    started = service.wait_for(lambda one: isinstance(one, WorkerStarted) and one.job_id == "two")
    wait_until(lambda: service.turn() and started.process_id in service.greeted, "the worker's hello")
    assert sum(isinstance(one, WorkerStarted) for one in service.news) == 2


def test_launch_asked_for_again_while_the_nursery_is_late_is_one_launch(
    service: Service, tmp_path: Path
) -> None:
    nursery = psutil.Process(service.launch("one")).parent()
    assert nursery is not None
    nursery.suspend()
    for _ in range(2):
        service.launcher.launch(WorkerProcess("two", tmp_path / "two.reports", tmp_path / "two.log"))
    nursery.resume()
    service.launch("three")
    assert [one.job_id for one in service.news if isinstance(one, WorkerStarted)] == ["one", "two", "three"]
    wait_until(lambda: service.turn() and len(service.greeted) == 3, "three workers")


def test_worker_of_a_former_service_is_watched(service: Service, tmp_path: Path) -> None:
    process_id = service.launch("one")
    service.launcher.close()
    assert psutil.pid_exists(process_id)
    service.launcher = NurseryLauncher(
        surroundings("ipc:///nowhere", tmp_path), NurseryKeeper(service.keep, SystemClock())
    )
    assert not service.launcher.watch(process_id, "another")
    assert service.launcher.watch(process_id, "one")
    service.launcher.kill(process_id)
    assert service.ended(process_id) is None


@pytest.fixture
def warm_service(tmp_path: Path) -> Iterator[Service]:
    """Two workers wait for jobs."""
    service = Service(tmp_path, spares=2)
    yield service
    service.close()


def test_jobs_are_given_to_workers_that_wait_and_those_are_made_up_for(warm_service: Service) -> None:
    waiting = {spare.pid for spare in warm_service.spares(2)}
    taken = {warm_service.launch(job) for job in ("one", "two")}
    assert taken == waiting
    assert {psutil.Process(process_id).name() for process_id in taken} == {"job one", "job two"}
    third = warm_service.launch("three")
    assert third not in waiting
    assert psutil.Process(third).name() == "job three"
    assert all((warm_service.folder / f"{job}.log").is_file() for job in ("one", "two", "three"))
    assert not {spare.pid for spare in warm_service.spares(2)} & {*taken, third}


def test_waiting_worker_that_dies_is_no_news_and_is_made_up_for(warm_service: Service) -> None:
    killed, other = warm_service.spares(2)
    killed.kill()
    wait_until(lambda: warm_service.turn() and has_ended(killed), "its end")
    assert warm_service.launch("one") != killed.pid
    assert other.pid in {*warm_service.greeted, *(spare.pid for spare in warm_service.spares(2))}
    assert not [one for one in warm_service.news if isinstance(one, WorkerEnded)]


def test_worker_that_waited_is_noticed_with_its_signal_like_any_other(warm_service: Service) -> None:
    warm_service.spares(2)
    process_id = warm_service.launch("one")
    os.kill(process_id, signal.SIGSEGV)
    assert warm_service.ended(process_id) == -signal.SIGSEGV


@pytest.mark.parametrize("has_work", [False, True], ids=["killed", "in order"])
def test_workers_that_wait_for_jobs_end_with_their_nursery(
    warm_service: Service, has_work: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nursery_process, "STOP_TIMEOUT_S", PATIENCE_S)
    waiting = [*warm_service.spares(2), warm_service.shared()]
    if has_work:  # which it has not said to be done, so it is not killed
        warm_service.launch_unheard("late")
    warm_service.launcher.close()
    if has_work:
        taken = wait_until(lambda: [one for one in waiting if name_of(one) == "job late"], "its worker")
        taken[0].kill()
    await_end(waiting, "the end of those that wait")


def test_what_a_killed_rehearsal_left_is_gone(tmp_path: Path) -> None:
    left = tmp_path / "rehearsals" / "killed" / "first.wav"
    left.parent.mkdir(parents=True)
    left.touch()
    service = Service(tmp_path, spares=1)
    try:
        service.launch("one")
        wait_until(lambda: not any((tmp_path / "rehearsals").iterdir()), "the end of all rehearsals")
    finally:
        service.close()


def test_worker_that_light_jobs_share_is_there_before_the_first(warm_service: Service) -> None:
    shared = warm_service.shared().pid
    assert warm_service.launch("one", "light") == shared
    assert warm_service.launch("two", "light") == shared
    assert (warm_service.folder / "shared-light.log").read_text() == ""


def test_shared_worker_that_dies_before_its_first_job_is_no_news_and_is_made_up_for(
    warm_service: Service,
) -> None:
    killed = warm_service.shared()
    killed.kill()
    wait_until(lambda: warm_service.turn() and has_ended(killed), "its end")
    another = warm_service.shared().pid
    assert warm_service.launch("one", "light") == another != killed.pid
    assert not [one for one in warm_service.news if isinstance(one, WorkerEnded)]


def test_shared_worker_that_can_not_get_ready_says_so_and_takes_jobs(tmp_path: Path) -> None:
    service = Service(tmp_path, spares=1, contents="file:///proc/no/contents")
    try:
        assert service.launch("one", "light") == service.shared().pid
        assert "worker.not_rehearsed" in (tmp_path / "shared-light.log").read_text()
    finally:
        service.close()
