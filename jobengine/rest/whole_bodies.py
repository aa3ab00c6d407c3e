"""Bodies in chunks that came whole, told from those that broke off by the mark of the proxy before us."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jobengine.errors import MalformedError
from jobengine.model.last_chunk import mark

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_PIECE_BYTES = 1 << 20


class WholeBodies:
    """An application behind the proxy that knows ``secret``, whose bodies in chunks are whole or refused."""

    def __init__(self, app: Wsgi, secret: str) -> None:
        self._app = app
        self._mark = mark(secret)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = MarkedBody(environ["wsgi.input"], self._mark)
        return self._app(environ, start_response)


class MarkedBody:
    """A body that ends with ``mark``, without it. `read` raises MalformedError at an end without it."""

    def __init__(self, source: Any, mark: bytes) -> None:
        """``source`` is read from; it may give less than it is asked for."""
        self._source = source
        self._mark = mark
        self._held = b""
        self._has_ended = False

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, all if negative; empty at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_PIECE_BYTES), b""))
        data = b""
        while size and not (data or self._has_ended):
            data = self._next(size)
        return data

    def _next(self, size: int) -> bytes:
        piece: bytes = self._source.read(size)
        if not piece:
            self._has_ended = True
            if self._held != self._mark:
                raise MalformedError("the body broke off, or its chunks make no sense")
        every = self._held + piece
        self._held = every[-len(self._mark) :]
        return every[: -len(self._mark)]
