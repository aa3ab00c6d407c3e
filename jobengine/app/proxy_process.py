"""The proxy process: joins the proxy to its sockets, and to the contents store whose version it watches."""

from __future__ import annotations

import os
import signal
import socket
import threading
from functools import partial
from multiprocessing.connection import Connection

from jobengine import logs
from jobengine.app.late_store import PAUSE_S, LateStore
from jobengine.app.parent import leave_template
from jobengine.app.proxy_link import ProxyLink
from jobengine.clock import SystemClock
from jobengine.contents.opening import open_store
from jobengine.errors import UnavailableError
from jobengine.proxy.kept import KeptAnswers
from jobengine.proxy.server import Proxy
from jobengine.proxy.shared import Shared
from jobengine.ready_word import say_ready
from jobengine.settings import Settings


def run_proxy(settings: Settings, listener: socket.socket, link: ProxyLink, ready: Connection) -> None:
    """Serve until ``listener`` is shut down, as it is when the service stops, or until SIGTERM. Blocks.

    By ``ready`` it says that it begins to (`jobengine.ready_word`).
    """
    leave_template("proxy")
    logs.configure(settings.log.level, settings.log.format, process="proxy")
    terminated = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for all processes of a terminal; the parent sees to it
    signal.signal(signal.SIGTERM, lambda *_: os.eventfd_write(terminated, 1))
    version = LateVersion(settings.contents_url)
    shared = Shared(link.socket, link.secret, KeptAnswers(version), link.count_answer)
    try:
        proxy = Proxy(listener, shared, SystemClock())
        say_ready(ready, SystemClock())
        proxy.run(terminated)
    finally:
        version.close()


class LateVersion:
    """The version of the contents store at ``url``. Calling it never blocks: the store is opened by a thread,
    when the version is first asked for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._store: LateStore | None = None

    def __call__(self) -> int | None:
        """The version; None as long as it can't be told."""
        if self._store is None:
            if self._thread is None:
                self._thread = threading.Thread(target=self._open, name="contents", daemon=True)
                self._thread.start()
            return None
        try:
            return int(self._store.version())
        except UnavailableError:
            return None

    def close(self) -> None:
        """Close the store if it is open. Idempotent."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        if self._store is not None:
            self._store.close()

    def _open(self) -> None:
        store = LateStore(partial(open_store, self._url), SystemClock())
        while not self._closing.is_set():
            try:
                store.version()
            except UnavailableError:
                self._closing.wait(PAUSE_S)
            else:
                self._store = store
                return
