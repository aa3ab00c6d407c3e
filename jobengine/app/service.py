"""``jobengine serve``: the process tree of one service.

The main process is granian's supervisor of the http process and keeps the engine process, both of them forks
of the template; the engine has the nursery, whose workers outlive them all. Killing the main process ends the
tree but the workers.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import structlog
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer, WorkerProcess

from jobengine import logs
from jobengine.app.engine_keeper import EngineKeeper
from jobengine.app.readiness import ReadinessAnnouncer
from jobengine.app.targets import load_http, run_engine
from jobengine.app.template import start_template
from jobengine.clock import Clock, SystemClock
from jobengine.errors import SettingsError, UnavailableError
from jobengine.history.database import Database
from jobengine.settings import HttpSettings, Settings

HTTP_STOP_TIMEOUT_S = 5
ENGINE_STOP_MARGIN_S = 10.0
LOCK = "service.lock"


def run_service(settings: Settings, finish_jobs: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Blocks.

    Raises SettingsError when the data directory is in use, when the database is not this version's, or
    when the service would be open to others without a key.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    settings.media_base.mkdir(parents=True, exist_ok=True)
    logs.configure(settings.log.level, settings.log.format, process="main")
    with _exclusive(settings.data / LOCK, settings.data), _exclusive_database(settings):
        _prepare_database(settings)
        settings = settings.model_copy(update={"http": _with_free_port(settings.http)})
        return _Tree(settings, finish_jobs, SystemClock()).run()


class _Server(MPServer):
    """granian's supervisor. The pipe ``stopping`` ends as soon as it is told to stop, or is killed.

    ``on_stop`` is called then, by the signal handler.
    """

    def __init__(self, *args: Any, on_stop: Callable[[], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self._on_stop = on_stop
        self.stopping, self._until_stop = multiprocessing.Pipe(duplex=False)

    def signal_handler_interrupt(self, *args: Any, **options: Any) -> None:
        self._until_stop.close()
        self._on_stop()
        super().signal_handler_interrupt(*args, **options)  # type: ignore[no-untyped-call]

    def _spawn_worker(self, *args: Any, **options: Any) -> WorkerProcess:
        """What granian would spawn, or fork from here, is forked from the template."""
        worker = super()._spawn_worker(*args, **options)
        inner: Any = worker.inner
        worker.inner = start_template().Process(target=inner._target, args=inner._args, name="http")
        return worker


class _Tree:
    """The processes below the main one."""

    def __init__(self, settings: Settings, finish_jobs: bool, clock: Clock) -> None:
        self._settings = settings
        self._finish_jobs = finish_jobs
        self._server = self._new_server()
        stop_timeout_s = ENGINE_STOP_MARGIN_S + (settings.engine.finish_timeout_s if finish_jobs else 0.0)
        self._engine = EngineKeeper(
            self._new_engine, stop_timeout_s, self._server.signal_handler_interrupt, clock
        )
        self._announcer = ReadinessAnnouncer(settings.http.url, clock)
        self._log = structlog.get_logger("service")

    def run(self) -> int:
        self._engine.start()
        self._announcer.start()
        self._log.info("service.starting", url=self._settings.http.url, data=str(self._settings.data))
        try:
            loader = partial(load_http, self._settings, self._server.stopping)
            self._server.serve(target_loader=loader, wrap_loader=False)
        finally:
            self._announcer.stop()
            self._engine.stop()
        self._log.info("service.stopped")
        return 1 if self._engine.has_given_up else 0

    def _new_engine(self) -> BaseProcess:
        arguments = (self._settings, self._finish_jobs)
        return start_template().Process(target=run_engine, args=arguments, name="engine")

    def _on_stop(self) -> None:
        self._engine.expect_end()

    def _new_server(self) -> _Server:
        http = self._settings.http
        return _Server(
            "jobengine",
            address=http.host,
            port=http.port,
            interface=Interfaces.WSGI,
            workers=1,
            blocking_threads=http.threads,
            blocking_threads_idle_timeout=60,
            respawn_failed_workers=True,
            workers_kill_timeout=HTTP_STOP_TIMEOUT_S,
            on_stop=self._on_stop,
            log_level=LogLevels.error,
        )


def _exclusive_database(settings: Settings) -> AbstractContextManager[None]:
    """Hold the file of SQLite, which may lie outside the data directory; a server looks after itself."""
    with Database(settings.database) as database:
        file = database.file
    return nullcontext() if file is None else _exclusive(file.with_name(f"{file.name}.lock"), file)


@contextmanager
def _exclusive(lock: Path, what: Path) -> Iterator[None]:
    """Hold ``what`` by a lock on the file ``lock``; one service at a time may."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "another"
            raise SettingsError(f"{what} is in use by the service with process id {owner}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _prepare_database(settings: Settings) -> None:
    """Make the tables of an empty database; refuse one of another version; see that keys guard the way in."""
    with Database(settings.database) as database:
        try:
            if database.revision() is None:
                database.upgrade()
            database.check_head()
            is_guarded = settings.http.is_loopback or _has_keys(database)
        except UnavailableError as error:
            raise SettingsError(f"the database can't be reached: {error.detail}") from error
    if not is_guarded:
        raise SettingsError(
            f"listening on {settings.http.host} without any API key would let everybody in: "
            "run 'jobengine key create NAME --role admin' first, or listen on 127.0.0.1"
        )


def _has_keys(database: Database) -> bool:
    """Whether anybody would be let in. Loaded for services beyond loopback only, as it brings all tables."""
    from jobengine.history.keys import ApiKeys

    return bool(ApiKeys(database).list())


def _with_free_port(http: HttpSettings) -> HttpSettings:
    """Settle port 0, and say clearly that a port is taken before anything is started."""
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((http.host, http.port))
        except OSError as error:
            raise SettingsError(f"can't listen on {http.host} port {http.port}: {error.strerror}") from None
        return http.model_copy(update={"port": probe.getsockname()[1]})
