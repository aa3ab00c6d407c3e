"""Workers without processes: the real worker, each in a thread that runs only when it is its turn.

A worker gives its turn back wherever it would wait for a command. So everything happens in one order,
the same in every run, and time passes only when the test moves the clock.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

from jobengine.clock import Clock
from jobengine.messaging.spool import Spool
from jobengine.messaging.worker_channel import BEAT_NS
from jobengine.messaging.worker_link import WorkerLink
from jobengine.messaging.worker_messages import (
    Fork,
    FromWorker,
    ToWorker,
    WorkerSurroundings,
    encode,
    from_worker,
)
from jobengine.ports.work import Work, WorkerEnded, WorkerProcess, WorkerStarted
from jobengine.worker.main import Worker
from jobengine.worker.stop_signal import StopSignal

News = WorkerStarted | WorkerEnded
NewWork = Callable[[str], Work]
MAX_TURNS = 1_000_000
ORPHAN_GRACE_S = 3600.0


class _Killed(BaseException):
    """Thrown into a worker where it waits; like SIGKILL, it is given no time to tidy up."""


class InProcessWorkers:
    """Launcher and command channel of an engine; its workers run `jobengine.worker` with ``new_work``."""

    def __init__(self, clock: Clock, new_work: NewWork, orphan_grace_s: float = ORPHAN_GRACE_S) -> None:
        self._clock = clock
        self._new_work = new_work
        self._orphan_grace_s = orphan_grace_s
        self._process_ids = count(1001)
        self._workers: dict[int, _ThreadedWorker] = {}
        self._news: list[News] = []
        self.is_connected = True
        self.wire: deque[tuple[str, bytes]] = deque()
        """What workers have sent and the engine has not read."""

    def launch(self, process: WorkerProcess) -> None:
        process_id = next(self._process_ids)
        worker = _ThreadedWorker(self, self._fork(process), process_id, self._clock, self._new_work)
        self._workers[process_id] = worker
        self._news.append(WorkerStarted(process.job_id, process_id))

    @property
    def failures(self) -> Mapping[str, int]:
        """None: there is nothing that makes workers."""
        return {}

    def watch(self, process_id: int, job_id: str = "") -> bool:
        return process_id in self._workers

    def kill(self, process_id: int) -> None:
        worker = self._workers.pop(process_id, None)
        if worker is not None:
            worker.kill()
            self._news.append(WorkerEnded(process_id, -9))

    def terminate(self, process_id: int) -> None:
        """Send what SIGTERM is to a process."""
        worker = self._workers[process_id]
        worker.signal.stop, worker.wake_ns = True, self._clock.monotonic_ns()

    def command(self, identity: str, command: ToWorker) -> None:
        worker = self._workers.get(int(identity.partition(":")[2]))
        if worker is not None:
            worker.inbox.append(encode(command))

    def take_news(self) -> list[News]:
        """What the launcher has learned since last asked."""
        news, self._news = self._news, []
        return news

    def take_reports(self) -> list[tuple[str, FromWorker]]:
        """What workers have sent since last asked."""
        reports = [(identity, from_worker.decode(packed)) for identity, packed in self.wire]
        self.wire.clear()
        return reports

    def run_until_idle(self) -> bool:
        """Give turns until every worker waits for time or a command; whether any had something to do.

        Raises RuntimeError when a work without end and without pace keeps a worker busy forever.
        """
        for turn in range(MAX_TURNS):
            ready = [worker for worker in self._workers.values() if worker.is_ready]
            if not ready:
                return turn > 0
            for worker in ready:
                worker.take_turn()
                if not worker.is_alive:
                    del self._workers[worker.process_id]
                    self._news.append(WorkerEnded(worker.process_id, worker.status))
        raise RuntimeError("a worker never waits: is its work without pace and without end?")

    def next_wake_ns(self) -> int | None:
        """The monotonic time at which the next worker goes on by itself."""
        return min((worker.wake_ns for worker in self._workers.values()), default=None)

    def service_is_away(self) -> None:
        """Nobody listens, and what was on the wire is lost."""
        self.is_connected = False
        self.wire.clear()

    def service_is_back(self) -> None:
        """Workers can send again."""
        self.is_connected = True

    def close(self) -> None:
        """End every worker."""
        for process_id in list(self._workers):
            self.kill(process_id)

    def _fork(self, process: WorkerProcess) -> Fork:
        around = WorkerSurroundings("in-process", "/media", (), (), self._orphan_grace_s)
        return Fork(process.job_id, str(process.spool), str(process.log), around)


class _ThreadedWorker:
    """One worker and its thread, of which at most one runs at any time."""

    def __init__(
        self, workers: InProcessWorkers, fork: Fork, process_id: int, clock: Clock, new_work: NewWork
    ) -> None:
        self.process_id = process_id
        self.signal = StopSignal()
        self.inbox: deque[bytes] = deque()
        self.wake_ns = clock.monotonic_ns()
        self.status = 0
        self.is_alive = True
        self._is_killed = False
        self._clock = clock
        self._my_turn = threading.Semaphore(0)
        self._turn_over = threading.Semaphore(0)
        channel = _Channel(workers, self, f"{fork.job_id}:{process_id}")
        self._link = WorkerLink(channel, Spool(Path(fork.spool)))
        self._worker = Worker(fork, self._link, clock, self.signal, process_id, new_work)
        self._thread = threading.Thread(target=self._run, name=f"worker {process_id}", daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether it has something to do now."""
        return bool(self.inbox) or self.wake_ns <= self._clock.monotonic_ns()

    def take_turn(self) -> None:
        """Run until it waits again, or ends."""
        self._my_turn.release()
        self._turn_over.acquire()
        if not self.is_alive:
            self._thread.join()

    def kill(self) -> None:
        """End it where it stands."""
        self._is_killed = True
        self.take_turn()

    def wait(self, timeout_ms: int) -> None:
        """Called in the worker's thread: give the turn back until there is a command or time is up."""
        if self.inbox:
            return
        self.wake_ns = self._clock.monotonic_ns() + timeout_ms * 1_000_000
        self._turn_over.release()
        self._await_turn()

    def _await_turn(self) -> None:
        self._my_turn.acquire()
        if self._is_killed:
            raise _Killed

    def _run(self) -> None:
        try:
            self._await_turn()
            self._worker.run()
        except _Killed:
            self.status = -9
        except Exception:
            self.status = 1
        finally:
            self._link.close()
            self.is_alive = False
            self._turn_over.release()


class _Channel:
    """The way of one worker to the engine and back."""

    beat_ns = BEAT_NS

    def __init__(self, workers: InProcessWorkers, worker: _ThreadedWorker, identity: str) -> None:
        self._workers = workers
        self._worker = worker
        self._identity = identity

    def send(self, packed: bytes) -> bool:
        if not self._workers.is_connected:
            return False
        self._workers.wire.append((self._identity, packed))
        return True

    def receive(self, timeout_ms: float, others: Sequence[int] = ()) -> list[bytes]:
        self._worker.wait(math.ceil(timeout_ms))
        arrived = list(self._worker.inbox)
        self._worker.inbox.clear()
        return arrived

    def close(self) -> None:
        """Nothing is held."""
