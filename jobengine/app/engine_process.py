"""The engine process: store, sockets, nursery, timer and the loop, joined and closed in order."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import structlog
import zmq

from jobengine import logs
from jobengine.app.early_nursery import keep_of
from jobengine.app.parent import leave_template
from jobengine.app.payload_sweep import PayloadSweep
from jobengine.clock import Clock, SystemClock, to_text
from jobengine.contents.opening import open_store
from jobengine.engine.admission import Admission, AdmissionTerms
from jobengine.engine.chores import Chores, ChoreTerms
from jobengine.engine.commands import Commands
from jobengine.engine.engine import Engine
from jobengine.engine.host import HostRunner
from jobengine.engine.losses import Losses
from jobengine.engine.parts import EngineParts
from jobengine.engine.rehearsal import rehearse
from jobengine.engine.requests import Requests
from jobengine.engine.service import HOUSEKEEPING_PERIOD_S, EngineService, ServiceParts, ServiceTerms
from jobengine.engine.silence import SilenceWatch
from jobengine.engine.timer import SchedulerTimer
from jobengine.engine.workers import WorkerFolders, Workers
from jobengine.errors import MediaError
from jobengine.garbage import Garbage
from jobengine.history.database import Database
from jobengine.history.store import SqlJobStore
from jobengine.ids import new_id
from jobengine.messaging.addresses import addresses
from jobengine.messaging.engine_sockets import EngineSockets
from jobengine.messaging.worker_messages import WorkerSurroundings
from jobengine.ports.contents import Capacity
from jobengine.ready_word import say_ready
from jobengine.settings import Settings
from jobengine.worker.launcher import NurseryLauncher
from jobengine.worker.nursery_keeper import NurseryKeeper
from jobengine.worker.nursery_process import NurseryProcess

SWITCH_S = 0.0005
"""How long the thread that decides may keep the one that commits from its next statement."""


def run_engine(
    settings: Settings, finish_jobs: bool, ready: Connection, nursery: NurseryProcess | None
) -> None:
    """Run the engine of one service until SIGTERM. Blocks. The target of a forked process.

    By ``ready`` it says that it is so (`jobengine.ready_word`). ``nursery``: one that was started for it, if
    it is the first engine of the service.
    """
    leave_template("engine")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure(settings.log.level, settings.log.format, process="engine")
    with ExitStack() as stack:
        service = build_engine(settings, stack, nursery)
        signal.signal(signal.SIGTERM, lambda *_: service.stop(finish_jobs))
        sys.setswitchinterval(SWITCH_S)
        service.run(partial(say_ready, ready, SystemClock()))


def build_engine(
    settings: Settings, stack: ExitStack, nursery: NurseryProcess | None = None
) -> EngineService:
    """Everything the engine needs, opened; ``stack`` closes it in the reverse order."""
    clock = SystemClock()
    outside = _open_outside(settings, stack, clock, nursery)
    store, name = outside.store, settings.engine.processing_host
    epoch = store.claim_service(name, process_id=os.getpid(), url=settings.http.url, now=to_text(clock.now()))
    structlog.get_logger("engine").info("engine.started", service=name, epoch=epoch)
    rehearse(store, clock)
    engine = Engine(name, _parts(settings, stack, clock, outside), settings.engine.group_size)
    driven = ServiceParts(
        engine=engine,
        chores=Chores(store, outside.executor, clock, _chore_terms(settings, name, epoch)),
        sockets=outside.sockets,
        launcher=outside.launcher,
        timer=outside.timer,
        clock=clock,
        garbage=Garbage(clock),
    )
    return EngineService(driven, ServiceTerms(settings.engine.group_size, settings.engine.finish_timeout_s))


class _Outside(NamedTuple):
    """What the engine reaches beyond its process, and the threads that wait for it."""

    launcher: NurseryLauncher
    sockets: EngineSockets
    executor: Executor
    timer: SchedulerTimer
    store: SqlJobStore


def _open_outside(
    settings: Settings, stack: ExitStack, clock: Clock, nursery: NurseryProcess | None
) -> _Outside:
    ends = addresses(settings.data)
    keeper = NurseryKeeper(keep_of(settings), clock, nursery)
    launcher = NurseryLauncher(_surroundings(settings, ends.workers), keeper)
    stack.callback(launcher.close)
    database = Database(settings.database)
    stack.callback(database.close)
    context: zmq.Context[Any] = zmq.Context()
    stack.callback(context.term)
    sockets = EngineSockets(context, ends)
    stack.callback(sockets.close)
    executor = stack.enter_context(ThreadPoolExecutor(1, "commit"))
    timer = stack.enter_context(SchedulerTimer(sockets.wake))
    timer.wake_every(HOUSEKEEPING_PERIOD_S)
    return _Outside(launcher, sockets, executor, timer, SqlJobStore(database))


def _parts(settings: Settings, stack: ExitStack, clock: Clock, outside: _Outside) -> EngineParts:
    sockets, name = outside.sockets, settings.engine.processing_host
    folders = WorkerFolders(settings.data / "spool", settings.log_folder)
    workers = Workers(outside.launcher, folders, clock, Admission(_admission(settings)))
    commands = Commands(new_id(), workers, sockets, clock, name)
    host = HostRunner(workers, timedelta(milliseconds=settings.engine.lead_ms))
    sweep = _sweep(settings)
    sweep.start()
    stack.callback(sweep.end)
    return EngineParts(
        store=outside.store,
        teller=sockets,
        workers=workers,
        commands=commands,
        losses=Losses(workers, settings.engine.restart_limit, _measure, sweep.end_streams),
        silence=SilenceWatch(workers, settings.engine.heartbeat_timeout_s),
        host=host,
        requests=Requests(name, name, commands, host, clock),
        clock=clock,
        executor=outside.executor,
        wake=sockets.wake,
    )


def _sweep(settings: Settings) -> PayloadSweep:
    return PayloadSweep(
        partial(open_store, settings.contents_url),
        SystemClock(),
        settings.contents.sweep_interval_s,
        timedelta(hours=settings.engine.idempotency_hours),
        Capacity(settings.contents.capacity_bytes, settings.contents.capacity_elements),
    )


def _measure(path: Path) -> int | None:
    """Loaded when a worker was lost, since it brings FFmpeg into the process."""
    from jobengine.media.riff import measure_output

    try:
        return measure_output(path)
    except MediaError as error:
        structlog.get_logger("engine").warning("output.not_measured", path=str(path), detail=error.detail)
        return None


def _surroundings(settings: Settings, address: str) -> WorkerSurroundings:
    return WorkerSurroundings(
        address=address,
        media_base=str(settings.media_base),
        media_roots=tuple(str(root) for root in settings.media_roots),
        url_schemes=settings.media.url_schemes,
        orphan_grace_s=settings.engine.orphan_grace_s,
        contents=settings.contents_url,
        results=str(settings.results_folder),
        result_lifetime_s=settings.convert.result_lifetime_s,
        copy_urls=settings.convert.copy_urls,
        push_targets=tuple(
            (target.url, str(target.key_file or "")) for target in settings.engine.push_targets
        ),
    )


def _admission(settings: Settings) -> AdmissionTerms:
    return AdmissionTerms(
        jobs=settings.engine.restream_jobs,
        jobs_per_sink=settings.engine.restream_jobs_per_sink,
        jobs_per_stream=settings.engine.restream_jobs_per_stream,
        lease=settings.engine.sink_lease,
    )


def _chore_terms(settings: Settings, name: str, epoch: int) -> ChoreTerms:
    return ChoreTerms(
        name=name,
        epoch=epoch,
        event_retention=timedelta(days=settings.engine.event_retention_days),
        idempotency_retention=timedelta(hours=settings.engine.idempotency_hours),
    )
