"""Stopping a service: workers stay, or finish their jobs, or are ended; none lives for ever without one."""

from __future__ import annotations

import ctypes
import json
import os
import signal
from contextlib import ExitStack, suppress

import psutil
import pytest

from tests.acceptance.documents import after, assert_counts, recording, samples_of
from tests.acceptance.observing import history_of, output_of, reach, record_on, worker_of
from tests.processes import await_end, has_ended
from tests.services import NewService
from tests.waiting import PATIENCE_S


def test_a_stop_leaves_the_workers_for_the_next_start(new_service: NewService) -> None:
    service = new_service().start()
    job = reach(service.client.jobs.submit(recording("left", after(500))), "Running")
    output, worker = output_of(job), worker_of(job)
    assert service.stop() == 0
    assert not has_ended(worker)
    record_on(output, 0.5)
    service.start()
    assert worker_of(job).pid == worker.pid
    job.finish()
    reach(job, "Finished")
    assert_counts(samples_of(output))
    assert [r["state"] for r in history_of(service, job)] == ["Running", "Running", "Finished"]


@pytest.mark.parametrize("is_main_first", [True, False])
def test_a_signal_to_all_processes_of_the_group_stops_the_service_as_one_to_the_main_process_does(
    new_service: NewService, is_main_first: bool
) -> None:
    """Ctrl-C in a terminal and many supervisors send it so. Workers are sessions of their own."""
    service = new_service().start()
    job = reach(service.client.jobs.submit(recording("group", after(500))), "Running")
    output, worker = output_of(job), worker_of(job)
    assert service.process is not None
    signal_group(psutil.Process(service.process.pid), is_main_first)
    assert service.process.wait(PATIENCE_S) == 0
    log = service.log.read_text()
    assert "service.stopped" in log
    assert not [line for line in log.splitlines() if "error" in line or "warning" in line]
    record_on(output, 0.5)
    service.start()
    assert worker_of(job).pid == worker.pid
    job.finish()
    reach(job, "Finished")
    assert_counts(samples_of(output))


def signal_group(main: psutil.Process, is_main_first: bool) -> None:
    """SIGTERM to all processes of the group, one after the other.

    If the main process is the last, it stands still until it is told as well: for the service the signals
    come together then, also if the tests stand still between two of them.
    """
    below = main.children(recursive=True)
    others = [process for process in below if group_of(process) == group_of(main)]
    assert len(others) >= 3
    if is_main_first:
        main.terminate()
    else:
        main.suspend()
    for process in others if is_main_first else reversed(others):
        with suppress(psutil.NoSuchProcess):  # the main process has ended it already
            process.terminate()
    if not is_main_first:
        main.terminate()
        main.resume()


def test_a_signal_that_another_thread_of_the_main_process_takes_stops_the_service(
    new_service: NewService,
) -> None:
    """Which thread takes it is up to Linux, once a process goes on that stood still when it was sent."""
    service = new_service().start()
    assert service.process is not None
    process_id = service.process.pid
    others = [thread.id for thread in psutil.Process(process_id).threads() if thread.id != process_id]
    signal_thread(process_id, others[-1])
    assert service.process.wait(PATIENCE_S) == 0
    assert "service.stopped" in service.log.read_text()


def signal_thread(process_id: int, thread_id: int) -> None:
    """SIGTERM to one thread of another process (tgkill(2), which Python has for its own threads only)."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.tgkill(process_id, thread_id, signal.SIGTERM):
        raise OSError(ctypes.get_errno(), "tgkill")


def group_of(process: psutil.Process) -> int | None:
    """Its group of processes; None if it has ended."""
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None


def test_whoever_listens_to_events_does_not_hold_up_a_stop(new_service: NewService) -> None:
    """Who did would be cut off with the http process, which is killed if it does not end."""
    service = new_service().start()
    with service.http() as http, ExitStack() as listening:
        answers = [
            listening.enter_context(http.stream("GET", "/api/events/stream")).iter_text() for _ in range(4)
        ]
        for answer in answers:
            assert "from now on" in next(chunk for chunk in answer if "id:" in chunk)
        assert service.stop() == 0
        assert all("event:" not in "".join(answer) for answer in answers), "each has come to its end"
    log = service.log.read_text()
    assert ("service.stopped" in log, "engine.killed" in log) == (True, False)


def test_finish_jobs_finishes_what_it_can_and_terminates_what_hangs(new_service: NewService) -> None:
    service = new_service(engine__finish_timeout_s=15).start("--finish-jobs")
    good, hanging = (
        reach(service.client.jobs.submit(recording(name)), "Running") for name in ("good", "hanging")
    )
    outputs = [output_of(good), output_of(hanging)]
    for output in outputs:
        record_on(output, 0.5)
    workers = [worker_of(good), worker_of(hanging)]
    workers[1].send_signal(signal.SIGSTOP)
    assert service.stop() == 0
    await_end(workers, "both workers are gone")
    for output in outputs:
        assert_counts(samples_of(output))
    finished, terminated = history_of(service, good)[-1], history_of(service, hanging)[-1]
    assert finished["state"] == "Finished"
    assert finished["samples"] == len(samples_of(outputs[0]))
    assert json.loads(finished["info"])["reason"] == "the service stops"
    assert (terminated["trigger"], terminated["state"]) == ("Implicit", "Terminated")
    assert json.loads(terminated["info"])["lastConfirmedPosition"]["samples"] > 0


def test_workers_of_a_service_that_never_returns_end_after_the_grace(new_service: NewService) -> None:
    service = new_service(engine__orphan_grace_s=2).start()
    job = service.client.jobs.submit(recording("orphan"))
    output = output_of(job)
    service.kill()
    await_end(service.processes(), "the orphan has ended by itself")
    values = samples_of(output)
    assert_counts(values)
    service.start()
    reach(job, "Terminated")
    last = history_of(service, job)[-1]
    assert last["samples"] == len(values)
    assert "no service" in json.loads(last["info"])["reason"]
