"""Documents in the index, each with its revision, its place in the log and its JSON."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import msgspec

from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.keys import document_key
from jobengine.contents.embedded.record import HEADER_BYTES
from jobengine.contents.embedded.transaction import Transaction
from jobengine.ports.contents import Document

_ROW = struct.Struct("<QQQ")


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document's revision and JSON, and the segment and offset of its record."""

    revision: int
    segment: int
    offset: int
    json: bytes

    @property
    def record_bytes(self) -> int:
        """About what its record takes in the log."""
        return HEADER_BYTES + len(self.json)


class Documents:
    """The documents' table."""

    def __init__(self, index: Index) -> None:
        self._table = index.table["documents"]

    def row(self, transaction: Transaction, collection: str, key: str) -> DocumentRow | None:
        """One document's row."""
        data = transaction.get(document_key(collection, key), db=self._table)
        return None if data is None else _decode(data)

    def page(
        self, transaction: Transaction, collection: str, after: str | None, limit: int | None
    ) -> list[Document]:
        """Documents of a collection in order of their keys, those behind ``after``."""
        prefix = document_key(collection, "")
        first = prefix if after is None else document_key(collection, after)
        found: list[Document] = []
        with transaction.cursor(db=self._table) as cursor:
            if cursor.set_range(first):
                for key, data in cursor.iternext():
                    if len(found) == limit or not key.startswith(prefix):
                        break
                    if after is None or key > first:
                        found.append(to_document(collection, key[len(prefix) :].decode(), _decode(data)))
        return found

    def put(self, changes: Changes, collection: str, key: str, row: DocumentRow) -> None:
        """Store or replace one."""
        self.delete(changes, collection, key)
        data = _ROW.pack(row.revision, row.segment, row.offset) + row.json
        changes.transaction.put(document_key(collection, key), data, db=self._table)
        changes.segment(row.segment).record_bytes += row.record_bytes

    def delete(self, changes: Changes, collection: str, key: str) -> None:
        """Remove one, if it is there."""
        there = self.row(changes.transaction, collection, key)
        if there is not None:
            changes.segment(there.segment).record_bytes -= there.record_bytes
            changes.transaction.delete(document_key(collection, key), db=self._table)


def to_document(collection: str, key: str, row: DocumentRow) -> Document:
    """The document as readers get it."""
    return Document(collection, key, msgspec.json.decode(row.json), row.revision)


def _decode(data: bytes) -> DocumentRow:
    revision, segment, offset = _ROW.unpack_from(data)
    return DocumentRow(revision, segment, offset, data[_ROW.size :])
