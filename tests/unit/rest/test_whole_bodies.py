"""A body in chunks is read without the mark at its end, and refused if that is missing."""

from __future__ import annotations

import io

import pytest

from jobengine.errors import MalformedError
from jobengine.rest.whole_bodies import MarkedBody

MARK = b"mark"


class Drops:
    """A source that gives ``size`` bytes at a time at most."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = io.BytesIO(data)
        self._size = size

    def read(self, size: int) -> bytes:
        return self._data.read(min(size, self._size))


@pytest.mark.parametrize("drop", [1, 3, 4, 5, 100])
@pytest.mark.parametrize("size", [1, 2, 7, 100, -1])
@pytest.mark.parametrize("body", [b"", b"x", b"mark", b"a longer body"])
def test_a_whole_body_is_read_without_its_mark(body: bytes, size: int, drop: int) -> None:
    marked = MarkedBody(Drops(body + MARK, drop), MARK)

    pieces = list(iter(lambda: marked.read(size), b""))

    assert b"".join(pieces) == body
    assert size < 0 or all(len(piece) <= size for piece in pieces)
    assert (marked.read(0), marked.read(size)) == (b"", b"")


@pytest.mark.parametrize("body", [b"", b"mar", b"a body", b"a body and mar", b"mark and more"])
def test_a_body_without_the_mark_at_its_end_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError, match="broke off"):
        MarkedBody(Drops(body, 3), MARK).read()
