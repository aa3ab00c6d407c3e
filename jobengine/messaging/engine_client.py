"""How an http process asks the engine: over DEALER sockets, one request at a time on each."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any

import zmq

from jobengine.errors import UnavailableError, error_class
from jobengine.ids import new_id
from jobengine.messaging.engine_messages import Accepted, AnyRequest, Refused, answer_decoder, encode

SEND_TIMEOUT_MS = 2_000
TRIES = 2
"""A wait is cut into so many: who stood still with the machine, and the engine too, has lost one of them."""


class EngineClient:
    """Asks the engine and waits for its answer. Thread-safe: there are as many sockets as threads have ever
    asked at once, and one is connected before anybody asks. The owner closes it when nobody does any more."""

    def __init__(self, context: zmq.Context[Any], address: str, timeout_ms: int = 15_000) -> None:
        self._context = context
        self._address = address
        self._timeout_ms = timeout_ms
        self._idle = deque([self._connect()])

    def ask(self, kind: type[AnyRequest], **members: Any) -> Accepted:
        """Send a request and block until it is answered.

        Raises the error that the engine answered, or UnavailableError when it does not answer in time;
        then the request may or may not have been carried out, as its detail says.
        """
        request = kind(request_id=new_id(), **members)
        try:
            socket = self._idle.pop()
        except IndexError:
            socket = self._connect()
        answer = None
        try:
            answer = self._answer(socket, request)
        finally:
            if answer is None:
                socket.close(linger=0)
            else:
                self._idle.append(socket)
        if isinstance(answer, Refused):
            raise error_class(answer.code)(answer.detail, **answer.facts)
        return answer

    def close(self) -> None:
        """Close the sockets."""
        while self._idle:
            self._idle.pop().close(linger=0)

    def _answer(self, socket: zmq.Socket[bytes], request: AnyRequest) -> Accepted | Refused:
        if not _is_sent(socket, encode(request)):
            raise UnavailableError("the engine is not running; nothing was changed")
        while any(socket.poll(self._timeout_ms // TRIES) for _ in range(TRIES)):
            answer: Accepted | Refused = answer_decoder.decode(socket.recv())
            if answer.request_id == request.request_id:
                return answer
        raise UnavailableError("the engine did not answer in time; ask for the state before trying again")

    def _connect(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, 100)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.SNDTIMEO, SEND_TIMEOUT_MS // TRIES)
        socket.connect(self._address)
        return socket


def _is_sent(socket: zmq.Socket[bytes], packed: bytes) -> bool:
    for _ in range(TRIES):
        with suppress(zmq.Again):
            socket.send(packed)
            return True
    return False
