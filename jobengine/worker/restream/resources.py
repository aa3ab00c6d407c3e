"""What the re-streaming jobs of one process share: open stores, sockets, connections, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import zmq

from jobengine.clock import Clock, SystemClock
from jobengine.contents.opening import open_store
from jobengine.messaging.sockets.pool import SinkPool
from jobengine.messaging.sockets.sink import open_socket_sink
from jobengine.model.sink import SinkKind, SinkSpec, SinkTerms, content_of, kind_of_sink, path_of, place_of
from jobengine.ports.sink import Sink, SinkStream
from jobengine.ports.work import WorkContext
from jobengine.worker.restream.content_writer import ContentWriter
from jobengine.worker.restream.file_writer import FileWriter
from jobengine.worker.restream.grouped_sink import GroupedSink
from jobengine.worker.restream.push_pool import PushPool
from jobengine.worker.restream.ready_sink import ReadySink
from jobengine.worker.restream.shared_store import SharedStore, share
from jobengine.worker.restream.work import RestreamWork


class Resources:
    """Opens each store once, and closes all at the end of the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stores: dict[str, SharedStore] = {}

    def store(self, url: str) -> SharedStore:
        """The store at ``url``; stays open until `close`."""
        if url not in self._stores:
            self._stores[url] = share(open_store(url), self._clock, self._pinning)
        return self._stores[url]

    def get_ready(self, url: str) -> None:
        """Open the store at ``url``, and start the threads of libzmq and the one that pins, before the first
        job wants them."""
        self.store(url)
        self._context.socket(zmq.PAIR).close()
        self._pinning.submit(int).result()

    def sink(self, spec: SinkSpec, stream: SinkStream, context: WorkContext, mark: int | None) -> Sink:
        """A sink for one job. ``mark``: that of a former worker's sink, 0: there was none, None: unknown."""
        url, terms = spec.url or "", spec.options or SinkTerms()
        match kind_of_sink(url):
            case SinkKind.CONTENT:
                store = self.store(context.contents).store
                writer = ContentWriter(store, self._clock, content_of(url), stream)
                return GroupedSink(writer, self._writing, self._clock)
            case SinkKind.FILE:
                file = FileWriter(context.roots, path_of(url), stream, context.job_id, mark)
                return GroupedSink(file, self._writing, self._clock, mark=mark or 0)
            case SinkKind.HTTP:
                return self._pushes.open(place_of(url), context.roots.push_targets, terms, stream)
        opened = open_socket_sink(self._pool, url, terms.socket_options(), terms.codec, stream)
        return ReadySink(opened, self._clock, terms.ready_wait_ms) if url.startswith("pub") else opened

    def close(self) -> None:
        """Close everything; sockets send what they hold, within their limits."""
        if "_pool" in vars(self):
            self._pool.close()
        if "_context" in vars(self):
            self._context.term()
        if "_pushes" in vars(self):
            self._pushes.close()
        if "_writing" in vars(self):
            self._writing.shutdown()
        if "_pinning" in vars(self):
            self._pinning.shutdown()
        for shared in self._stores.values():
            shared.close()

    @cached_property
    def _context(self) -> zmq.Context[Any]:
        return zmq.Context()

    @cached_property
    def _pool(self) -> SinkPool:
        return SinkPool(self._context, self._clock)

    @cached_property
    def _pushes(self) -> PushPool:
        return PushPool(self._clock)

    @cached_property
    def _writing(self) -> ThreadPoolExecutor:
        """One thread for all that waits for the disk."""
        return ThreadPoolExecutor(1, "writing")

    @cached_property
    def _pinning(self) -> ThreadPoolExecutor:
        """One thread, so that what is done last is what was asked for last."""
        return ThreadPoolExecutor(1, "pinning")


_of_process: list[Resources] = []


def resources() -> Resources:
    """Those of this process, closed by `release`."""
    if not _of_process:
        _of_process.append(Resources(SystemClock()))
    return _of_process[0]


def new_restream() -> RestreamWork:
    """The work as a worker process runs it."""
    shared = resources()
    return RestreamWork(SystemClock(), shared.store, shared.sink)


def release() -> None:
    """The process ends: close what its jobs have shared."""
    while _of_process:
        _of_process.pop().close()
