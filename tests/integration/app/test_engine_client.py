"""How an http process asks: by as many sockets as it has questions at once, which it uses again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from jobengine.errors import ConflictError
from jobengine.messaging.engine_client import EngineClient
from jobengine.messaging.engine_messages import Accepted, ReadService, Refused, encode, request_decoder
from tests.waiting import PATIENCE_MS, PATIENCE_S

AT_ONCE = 3


class Engine:
    """Answers requests when so many have come, and knows who asked."""

    def __init__(self, folder: Path) -> None:
        self.address = f"ipc://{folder}/requests"
        self.clients: list[bytes] = []

    @contextmanager
    def answering(self, context: zmq.Context[zmq.Socket[bytes]], *together: int) -> Iterator[None]:
        # Closed only when the client has read: who loses its peer forgets what it has not read (IMMEDIATE).
        with context.socket(zmq.ROUTER) as socket:
            socket.bind(self.address)
            thread = threading.Thread(target=self._answer, args=(socket, together))
            thread.start()
            yield
            thread.join(PATIENCE_S)

    def _answer(self, socket: zmq.Socket[bytes], together: tuple[int, ...]) -> None:
        for count in together:
            asked: list[list[bytes]] = []
            while len(asked) < count and socket.poll(PATIENCE_MS):
                asked.append(socket.recv_multipart())
            for client, packed in asked:
                self.clients.append(client)
                request = request_decoder.decode(packed)
                refused = Refused(request.request_id, "conflict", "no")
                is_refused = request.actor == "stranger"
                answer = refused if is_refused else Accepted(request.request_id, request.actor, 1, ())
                socket.send_multipart((client, encode(answer)))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as context:
        yield context


def test_questions_at_once_have_sockets_of_their_own_that_serve_again(
    engine: Engine, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    client = EngineClient(context, engine.address)
    names = [str(number) for number in range(AT_ONCE)]
    with engine.answering(context, 1, AT_ONCE, 1, AT_ONCE), ThreadPoolExecutor(AT_ONCE) as threads:
        for asked in (["alone"], names, ["alone"], names):
            answers = threads.map(lambda name: client.ask(ReadService, actor=name), asked)
            assert [answer.job_id for answer in answers] == asked
    client.close()
    assert len(set(engine.clients)) == AT_ONCE


def test_a_refusal_is_raised_and_the_socket_kept(
    engine: Engine, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    client = EngineClient(context, engine.address)
    with engine.answering(context, 1, 1):
        with pytest.raises(ConflictError, match="no"):
            client.ask(ReadService, actor="stranger")
        assert client.ask(ReadService, actor="friend").job_id == "friend"
    client.close()
    assert len(set(engine.clients)) == 1


class StoodStill:
    """A socket whose first wait of each kind has passed before anybody could do anything."""

    def __init__(self) -> None:
        self.sendings, self.looks = 0, 0
        self.sent = b""

    def send(self, packed: bytes) -> None:
        self.sendings += 1
        if self.sendings == 1:
            raise zmq.Again
        self.sent = packed

    def poll(self, timeout_ms: int) -> int:
        self.looks += 1
        return int(self.looks > 1)

    def recv(self) -> bytes:
        return encode(Accepted(request_decoder.decode(self.sent).request_id, "job"))

    def close(self, linger: int) -> None:
        """Nothing is held."""


def test_who_stood_still_while_it_waited_looks_again(
    context: zmq.Context[zmq.Socket[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = StoodStill()
    monkeypatch.setattr(EngineClient, "_connect", lambda client: socket)
    client = EngineClient(context, "ipc://nowhere")
    assert client.ask(ReadService, actor="test").job_id == "job"
    assert (socket.sendings, socket.looks) == (2, 2)
