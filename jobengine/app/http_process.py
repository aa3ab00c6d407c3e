"""An http process: the WSGI application over a read-only database and the engine's sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from pathlib import PurePosixPath
from typing import Any, cast

import zmq

from jobengine import logs
from jobengine.app.content_events import RETRY_S, ContentEvents
from jobengine.app.finished_jobs import INTERVAL_S, FinishedJobs
from jobengine.app.late_store import LateStore
from jobengine.app.parent import end_service, leave_template
from jobengine.app.proxy_link import ProxyLink
from jobengine.app.repeated import Repeated
from jobengine.clock import Clock, SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.history.database import Database
from jobengine.history.keys import ApiKeys
from jobengine.history.reader import JobReader
from jobengine.history.whole_jobs import WholeJobs
from jobengine.messaging.addresses import addresses
from jobengine.messaging.engine_client import EngineClient
from jobengine.messaging.notices import NoticeListener
from jobengine.model.push import PushTarget
from jobengine.model.roots import MediaRoots
from jobengine.ports.contents import ContentStore
from jobengine.ready_word import say_ready
from jobengine.rest.factory import create_app
from jobengine.rest.priors import Priors
from jobengine.rest.rehearsal import rehearse
from jobengine.rest.services import HttpServices, ProxyBefore
from jobengine.settings import Settings
from jobengine.web.pages import pages

PROBE_TIMEOUT_MS = 1_000
WATCH_END_TIMEOUT_S = 2.0


def load_http(
    settings: Settings, stopping: Connection, ready: Connection, link: ProxyLink | None
) -> Callable[..., Any]:
    """The WSGI callable of a process that was forked to serve it.

    ``stopping`` ends when the service is about to stop: event feeds end then, whose threads would keep the
    server from ending. By ``ready`` it says that it can serve (`jobengine.ready_word`). ``link``: the one
    with the proxy before it, if there is one.
    """
    leave_template("http")
    logs.configure(settings.log.level, settings.log.format, process="http")
    app = build_http(settings, stopping, link)
    say_ready(ready, SystemClock())
    return app


def build_http(settings: Settings, stopping: Connection, link: ProxyLink | None) -> Callable[..., Any]:
    """The application with its connections; they live as long as the process."""
    ends, clock = addresses(settings.data), SystemClock()
    database = Database(settings.database)
    context: zmq.Context[Any] = zmq.Context()
    notices = NoticeListener(context, ends.notices)
    notices.start()
    threading.Thread(target=_end_notices, args=(stopping, notices), name="stopping", daemon=True).start()
    contents = LateStore(partial(open_store, settings.contents_url), clock)
    # The server ends its workers without exit handlers; a store that was not closed looks itself through.
    Finalize(None, contents.close, exitpriority=1)
    reader, engine = JobReader(database), EngineClient(context, ends.requests)
    whole_jobs = WholeJobs(database)
    services = HttpServices(
        settings=settings,
        contents=cast(ContentStore, contents),
        reader=reader,
        whole_jobs=whole_jobs,
        priors=Priors(whole_jobs),
        keys=ApiKeys(database),
        engine=engine,
        probe=EngineClient(context, ends.requests, PROBE_TIMEOUT_MS),
        clock=clock,
        notices=notices,
        roots=media_roots(settings),
        check_migrations=database.check_head,
        worker_log=settings.worker_log,
        shut_down=end_service,
        tasks=_begin_tasks(settings, reader, engine, contents, clock),
        proxy=None if link is None else ProxyBefore(link.secret, link.answers),
    )
    app = create_app(services, [pages()])
    rehearse(app, services)
    return app


def _begin_tasks(
    settings: Settings, reader: JobReader, engine: EngineClient, contents: LateStore, clock: Clock
) -> tuple[Repeated, ...]:
    """What is done beside requests, in threads that end with the process."""
    finished = FinishedJobs(reader, engine, clock, settings.convert)
    events = ContentEvents(Catalogue(cast(ContentStore, contents), clock), engine, clock)
    sweeping = Repeated("finished-jobs", finished.step, "jobs.not_swept", INTERVAL_S, clock)
    watching = Repeated("content-events", events.step, "contents.not_watched", RETRY_S, clock)
    Finalize(None, watching.end, (WATCH_END_TIMEOUT_S,), exitpriority=2)  # before the store is closed
    sweeping.start(INTERVAL_S)
    watching.start()
    return sweeping, watching


def _end_notices(stopping: Connection, notices: NoticeListener) -> None:
    stopping.poll(None)
    notices.end()


def media_roots(settings: Settings) -> MediaRoots:
    """Where media may be, as the documents are checked."""
    return MediaRoots(
        PurePosixPath(settings.media_base),
        tuple(PurePosixPath(root) for root in settings.media_roots),
        settings.media.url_schemes,
        tuple(PushTarget(target.url) for target in settings.engine.push_targets),
        settings.convert.copy_urls,
    )
