"""A proxy before a Redis that loses the connection at the worst moment."""

from __future__ import annotations

import selectors
import socket
import threading
from pathlib import Path

from tests.waiting import PATIENCE_S


class CuttingProxy:
    """Passes on what clients of its socket say. ``cut_before`` and ``cut_behind`` are armed by a test.

    A connection is cut when a piece of a request holds the armed bytes: before it is passed on, or once
    Redis has answered it, so that the client can't know.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.cut_before: bytes | None = None
        self.cut_behind: bytes | None = None
        self.cuts = 0
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, name="proxy")]
        self._threads[0].start()

    def close(self) -> None:
        """Stop listening; connections end with their clients."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), name="proxied")
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as ready:
            server.connect(str(self._target))
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            is_last = False
            while True:
                for key, _ in ready.select():
                    source, sink = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(1 << 20)
                    if not data or (is_last and source is server) or self._is_cut_before(data):
                        return
                    if self.cut_behind is not None and source is client and self.cut_behind in data:
                        self.cut_behind, is_last = None, True
                        self.cuts += 1
                    sink.sendall(data)

    def _is_cut_before(self, data: bytes) -> bool:
        if self.cut_before is None or self.cut_before not in data:
            return False
        self.cut_before = None
        self.cuts += 1
        return True
