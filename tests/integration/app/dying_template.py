"""Run as a program: kills the template again and again, and at once starts three forks of it.

Each is started in a thread of its own. Prints how many started. A process has but one template.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from multiprocessing import forkserver

from jobengine.app.template import TemplateFork, start_template
from tests.waiting import PATIENCE_S

THREADS = 3


def start_one(started: list[int], rest: threading.Barrier) -> None:
    """The thread outlives the round, as the template may be its child."""
    fork = TemplateFork(target=os.getpid, name="fork")
    rest.wait()
    fork.start()
    started.append(fork.pid or 0)
    fork.join()
    rest.wait()


def main(rounds: int) -> None:
    started: list[int] = []
    start_template()
    for _ in range(rounds):
        rest = threading.Barrier(THREADS + 1)
        threads = [threading.Thread(target=start_one, args=(started, rest)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)  # type: ignore[attr-defined]
        rest.wait()
        rest.wait(timeout=PATIENCE_S)
        for thread in threads:
            thread.join()
        start_template()
    print(len(started))


if __name__ == "__main__":
    main(int(sys.argv[1]))
