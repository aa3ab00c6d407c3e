"""Reading payloads: planes that lie side by side in a chunk come in one piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from jobengine.contents.redis_store.keys import Keys
from jobengine.contents.redis_store.order import sequence_bytes
from jobengine.contents.redis_store.row import Place, places_of
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.wire import Command
from jobengine.model.element import StoredElement
from jobengine.ports.contents import Buffer

PIECE_BYTES: Final = 1024 * 1024
"""What is read in one piece at most, unless one plane has more: a plane that is kept keeps its piece."""
_TRIES: Final = 3
_EMPTY: Final = memoryview(b"")

Planes = Sequence[Buffer] | None
_Spot = tuple[int, Place]
"""Stream and place."""


class Payloads:
    """Reads payloads. Thread-safe."""

    def __init__(self, server: RedisServer, keys: Keys) -> None:
        self._server = server
        self._keys = keys

    def read(self, elements: Sequence[StoredElement]) -> list[Planes]:
        """The planes of each element; None where there are none.

        A payload that goes or is replaced between the look at its place and the look at its bytes is looked
        up again.
        """
        found: dict[int, Planes] = dict.fromkeys(range(len(elements)))
        wanted = list(found)
        for _ in range(_TRIES):
            places = self._places([elements[index] for index in wanted])
            spots = [
                (elements[index].stream, place)
                for index, mine in zip(wanted, places, strict=True)
                for place in mine or ()
                if place[0]
            ]
            buffers = self._bytes(spots)
            short = []
            for index, mine in zip(wanted, places, strict=True):
                if mine is not None:
                    stream = elements[index].stream
                    planes = [buffers[stream, place] if place[0] else _EMPTY for place in mine]
                    whole = all(len(plane) == place[2] for plane, place in zip(planes, mine, strict=True))
                    found[index] = tuple(planes) if whole else None
                    short += [] if whole else [index]
            if not short:
                break
            wanted = short
        return [found[index] for index in range(len(elements))]

    def _places(self, elements: Sequence[StoredElement]) -> list[tuple[Place, ...] | None]:
        by_stream: dict[int, list[int]] = {}
        for element in elements:
            by_stream.setdefault(element.stream, []).append(element.sequence)
        commands: list[Command] = [
            ("HMGET", self._keys.stream(stream).rows, *map(sequence_bytes, sequences))
            for stream, sequences in by_stream.items()
        ]
        rows = {
            stream: iter(reply)
            for stream, reply in zip(by_stream, self._server.call_all(commands), strict=True)
        }
        return [places_of(data) if (data := next(rows[element.stream])) else None for element in elements]

    def _bytes(self, spots: Sequence[_Spot]) -> dict[_Spot, memoryview]:
        pieces = list(_pieces(spots))
        replies = self._server.call_all(
            [
                ("GETRANGE", self._keys.stream(stream).chunk(chunk), start, end - 1)
                for stream, chunk, start, end, _ in pieces
            ]
        )
        found: dict[_Spot, memoryview] = {}
        for (_, _, start, _, inside), reply in zip(pieces, replies, strict=True):
            view = memoryview(reply)
            for spot in inside:
                offset = spot[1][1] - start
                found[spot] = view[offset : offset + spot[1][2]]
        return found


def _pieces(spots: Sequence[_Spot]) -> Iterator[tuple[int, int, int, int, list[_Spot]]]:
    """Stream, chunk, start, end and the spots in it: runs without a hole, of bounded size."""
    run: list[_Spot] = []
    stream = chunk = start = end = 0
    for spot in sorted(spots):
        number, offset, length = spot[1]
        behind = offset + length
        joins = (spot[0], number) == (stream, chunk) and offset <= end and behind - start <= PIECE_BYTES
        if run and joins:
            run.append(spot)
            end = max(end, behind)
            continue
        if run:
            yield stream, chunk, start, end, run
        run, stream, chunk, start, end = [spot], spot[0], number, offset, behind
    if run:
        yield stream, chunk, start, end, run
