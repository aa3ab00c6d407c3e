"""``jobengine serve``: the process tree of one service.

The main process is granian's supervisor of the http process and keeps the engine process, both of them forks
of the template; the engine has the nursery, whose workers outlive them all. Killing the main process ends the
tree but the workers. Where contents are kept in files, clients reach a proxy, a fork of the template too, and
the http process is behind it.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import structlog
from granian.constants import Interfaces
from granian.log import LogLevels

from jobengine import logs
from jobengine.app.early_nursery import start_early
from jobengine.app.http_server import HttpServer
from jobengine.app.process_keeper import ProcessKeeper
from jobengine.app.proxy_link import ProxyLink
from jobengine.app.readiness import ReadinessAnnouncer
from jobengine.app.targets import load_http, run_engine, run_proxy
from jobengine.app.template import TemplateFork, start_template
from jobengine.clock import Clock, SystemClock
from jobengine.errors import SettingsError, UnavailableError
from jobengine.history.database import Database
from jobengine.messaging.addresses import addresses
from jobengine.settings import HttpSettings, Settings
from jobengine.worker.nursery_process import NurseryProcess

HTTP_STOP_TIMEOUT_S = 5
ENGINE_STOP_MARGIN_S = 10.0
PROXY_STOP_TIMEOUT_S = 5.0
"""From when the http process has ended: what it said last is then on its way."""
BACKLOG = 1024
"""Clients that may wait to be accepted."""
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
        with _bound(settings.http) as public:
            settings = settings.model_copy(update={"http": _with_port_of(public, settings.http)})
            return _Tree(settings, public, finish_jobs, SystemClock()).run()


class _Tree:
    """The processes below the main one. ``public`` is bound to the port."""

    def __init__(self, settings: Settings, public: socket.socket, finish_jobs: bool, clock: Clock) -> None:
        self._settings = settings
        self._public = public
        self._finish_jobs = finish_jobs
        self._nursery: NurseryProcess | None = None
        self._link = ProxyLink(addresses(settings.data).http) if settings.has_contents_in_files else None
        self._server = self._new_server(clock)
        stop_timeout_s = ENGINE_STOP_MARGIN_S + (settings.engine.finish_timeout_s if finish_jobs else 0.0)
        kept = [("engine", self._new_engine, stop_timeout_s)]
        if self._link is not None:
            kept.append(("proxy", self._new_proxy, PROXY_STOP_TIMEOUT_S))
        self._keepers = [
            ProcessKeeper(*process, self._server.signal_handler_interrupt, clock) for process in kept
        ]
        self._announcer = ReadinessAnnouncer(settings.http.url, clock)
        self._log = structlog.get_logger("service")

    def run(self) -> int:
        start_template()
        self._nursery = start_early(self._settings)
        self._open_way_in()
        for keeper in self._keepers:
            keeper.start()
        self._announcer.start()
        self._log.info("service.starting", url=self._settings.http.url, data=str(self._settings.data))
        try:
            server = self._server
            loader = partial(load_http, self._settings, server.stopping, server.ready, self._link)
            server.serve(target_loader=loader, wrap_loader=False)
        finally:
            self._announcer.stop()
            for keeper in self._keepers:
                keeper.stop()
        self._log.info("service.stopped")
        return 1 if any(keeper.has_given_up for keeper in self._keepers) else 0

    def _open_way_in(self) -> None:
        """Listen for the proxy; the http process binds the port itself if there is none."""
        if self._link is None:
            self._public.close()
        else:
            Path(self._link.socket).unlink(missing_ok=True)  # of a service that was killed
            self._public.listen(BACKLOG)

    def _new_engine(self, ready: Connection) -> BaseProcess:
        nursery, self._nursery = self._nursery, None
        arguments = (self._settings, self._finish_jobs, ready, nursery)
        passed = () if nursery is None else (nursery.channel,)
        return TemplateFork(target=run_engine, args=arguments, name="engine", passed=passed)

    def _new_proxy(self, ready: Connection) -> BaseProcess:
        arguments = (self._settings, self._public, self._link, ready)
        return TemplateFork(target=run_proxy, args=arguments, name="proxy")

    def _on_stop(self) -> None:
        if self._link is not None:
            with suppress(OSError):  # told to stop once more
                self._public.shutdown(socket.SHUT_RDWR)  # the proxy sees it, and clients are refused
        for keeper in self._keepers:
            keeper.expect_end()

    def _new_server(self, clock: Clock) -> HttpServer:
        http = self._settings.http
        return HttpServer(
            "jobengine",
            address=http.host,
            port=http.port,
            uds=None if self._link is None else Path(self._link.socket),
            interface=Interfaces.WSGI,
            workers=1,
            blocking_threads=http.threads,
            blocking_threads_idle_timeout=60,
            backlog=BACKLOG,
            respawn_failed_workers=True,
            workers_kill_timeout=HTTP_STOP_TIMEOUT_S,
            on_stop=self._on_stop,
            clock=clock,
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
            said = f"{what} is in use by the service with process id {owner}"
            raise SettingsError(f"{said}: stop that one, or serve from another folder (--data)") from None
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


def _bound(http: HttpSettings) -> socket.socket:
    """A socket that has the port, or a free one for port 0: who can't have it is told before anything is
    started."""
    bound = socket.socket(socket.AF_INET6 if ":" in http.host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((http.host, http.port))
    except OSError as error:
        bound.close()
        raise SettingsError(f"can't listen on {http.host} port {http.port}: {error.strerror}") from None
    return bound


def _with_port_of(bound: socket.socket, http: HttpSettings) -> HttpSettings:
    return http.model_copy(update={"port": bound.getsockname()[1]})
