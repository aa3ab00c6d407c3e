"""Rows of the small tables are read once, and not again for the next commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.keys import number
from jobengine.contents.embedded.small_rows import SmallRows
from jobengine.contents.embedded.tables import SegmentRow, StreamRow

MANY = 5000


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path, 1 << 30)
    transaction = index.begin()
    transaction.put(number(1), StreamRow(7).encode(), db=index.table["streams"])
    transaction.put(number(2), SegmentRow(0).encode(), db=index.table["segments"])
    transaction.commit()
    yield index
    index.close()


def committed(index: Index) -> SmallRows:
    """The rows that a commit leaves which changed each of them."""
    transaction = index.begin()
    rows = SmallRows(index.table, transaction, None)
    stream = rows.stream(transaction, 1)
    assert stream is not None
    stream.count, rows.segment(transaction, 2).tail, rows.state.group = 3, 4, 5
    rows.flush(transaction)
    transaction.commit()
    return rows


def seen(rows: SmallRows, transaction: Any) -> tuple[int, int, int]:
    stream = rows.stream(transaction, 1)
    assert stream is not None
    return stream.count, rows.segment(transaction, 2).tail, rows.state.group


def test_what_is_put_back_is_found_by_whoever_reads_it(index: Index) -> None:
    committed(index)

    transaction = index.begin()
    assert seen(SmallRows(index.table, transaction, None), transaction) == (3, 4, 5)
    transaction.abort()


def test_the_next_commit_need_not_read_what_the_last_one_left(index: Index) -> None:
    unread: Any = None

    assert seen(SmallRows(index.table, unread, committed(index)), unread) == (3, 4, 5)


def test_a_commit_that_looked_at_none_of_them_leaves_them_to_the_next(index: Index) -> None:
    unread: Any = None
    between = SmallRows(index.table, unread, committed(index))

    assert seen(SmallRows(index.table, unread, between), unread) == (3, 4, 5)


def test_what_a_refused_write_changed_does_not_count(index: Index) -> None:
    rows = committed(index)
    transaction = index.begin()
    stream = rows.stream(transaction, 1)
    assert stream is not None
    stream.count = 99

    rows.read_again(transaction)

    assert seen(rows, transaction) == (3, 4, 5)
    transaction.abort()


def test_of_many_streams_none_is_kept(index: Index) -> None:
    rows = committed(index)
    rows.streams.update((10 + n, StreamRow(n)) for n in range(MANY))
    transaction = index.begin()

    after = SmallRows(index.table, transaction, rows)

    assert after.stream(transaction, 10) is None
    assert seen(after, transaction) == (3, 4, 5)
    transaction.abort()
