"""How an http process asks the engine: one DEALER socket per thread, one request at a time."""

from __future__ import annotations

import threading
from typing import Any

import zmq

from jobengine.errors import UnavailableError, error_class
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import Accepted, AnyRequest, Refused, answer_decoder, encode


class EngineClient:
    """Asks the engine and waits for its answer. Thread-safe: each thread gets a socket of its own."""

    def __init__(self, context: zmq.Context[Any], address: str, timeout_ms: int = 15_000) -> None:
        self._context = context
        self._address = address
        self._timeout_ms = timeout_ms
        self._local = threading.local()

    def ask(self, kind: type[AnyRequest], **members: Any) -> Accepted:
        """Send a request and block until it is answered.

        Raises the error that the engine answered, or UnavailableError when it does not answer in time;
        then the request may or may not have been carried out, as its detail says.
        """
        request = kind(request_id=new_id(), **members)
        socket = self._socket()
        try:
            socket.send(encode(request))
        except zmq.Again:
            raise UnavailableError("the engine is not running; nothing was changed") from None
        return self._wait(socket, request.request_id)

    def close_thread(self) -> None:
        """Close this thread's socket."""
        socket = getattr(self._local, "socket", None)
        if socket is not None:
            socket.close(linger=0)
            del self._local.socket

    def _wait(self, socket: zmq.Socket[bytes], request_id: str) -> Accepted:
        while socket.poll(self._timeout_ms):
            answer: Accepted | Refused = answer_decoder.decode(socket.recv())
            if answer.request_id != request_id:
                continue
            if isinstance(answer, Refused):
                raise error_class(answer.code)(answer.detail, **answer.facts)
            return answer
        self.close_thread()
        raise UnavailableError("the engine did not answer in time; ask for the state before trying again")

    def _socket(self) -> zmq.Socket[bytes]:
        if not hasattr(self._local, "socket"):
            socket = self._context.socket(zmq.DEALER)
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.SNDHWM, 100)
            socket.setsockopt(zmq.IMMEDIATE, 1)
            socket.setsockopt(zmq.SNDTIMEO, 2_000)
            socket.connect(self._address)
            self._local.socket = socket
        return self._local.socket  # type: ignore[no-any-return]
