"""granian's supervisor of the http process, fitted into the tree of a service."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import Any

from granian._granian import SocketHolder
from granian.server.mp import MPServer, WorkerProcess

from jobengine.app.template import TemplateFork


class HttpServer(MPServer):
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
        worker.inner = TemplateFork(target=inner._target, args=inner._args, name="http")
        return worker


def _give(holder: SocketHolder) -> tuple[Any, ...]:
    """granian gives the number of a listening socket, which is another one in a fork of the template."""
    state: Any = holder.__getstate__()
    number, *further = state
    return _take, (DupFd(number), *further)


def _take(descriptor: Any, *further: Any) -> SocketHolder:
    make: Any = SocketHolder  # its type stub knows one argument of three
    held: SocketHolder = make(descriptor.detach(), *further)
    return held


ForkingPickler.register(SocketHolder, _give)
