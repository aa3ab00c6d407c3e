"""Documents have revisions, and are listed in order of their keys."""

from __future__ import annotations

import pytest

from jobengine.errors import RevisionMismatch
from jobengine.ports.contents import ContentStore, DeleteDocument, Document, PutDocument
from tests.contract.contents.backends import StoreFactory

VALUE = {"name": "älter", "parts": [1, 2.5, None, True, {"deep": []}], "big": 2**53 + 1}


def keys(documents: list[Document]) -> list[str]:
    """Their keys."""
    return [document.key for document in documents]


def test_a_document_comes_back_as_it_was_given(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    [outcome] = store.commit([PutDocument("things", "a/ä", VALUE, 0)])

    assert (outcome.created, outcome.changed, outcome.revision) == (True, 1, 1)
    assert store_factory.reopen().document("things", "a/ä") == Document("things", "a/ä", VALUE, 1)


def test_a_missing_document_is_none(store: ContentStore) -> None:
    store.commit([PutDocument("things", "ab", {}, None)])

    assert store.document("things", "a") is None
    assert store.document("other", "ab") is None


def test_each_change_is_a_revision(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    for revision in range(3):
        store.commit([PutDocument("things", "a", {"n": revision}, revision)])
    [outcome] = store.commit([PutDocument("things", "a", {"n": 9}, None)])

    assert (outcome.created, outcome.revision) == (False, 4)
    assert store_factory.reopen().document("things", "a") == Document("things", "a", {"n": 9}, 4)


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_another_revision_than_expected_is_refused(store: ContentStore, expected: int) -> None:
    store.commit([PutDocument("things", "a", {"n": 1}, None)])
    store.commit([PutDocument("things", "a", {"n": 2}, None)])

    for write in (
        PutDocument("things", "a", {}, expected),
        DeleteDocument("things", "a", expected),
    ):
        with pytest.raises(RevisionMismatch):
            store.commit([PutDocument("things", "b", {}, None), write])

    assert store.documents("things") == [Document("things", "a", {"n": 2}, 2)]


def test_a_deleted_document_begins_anew(store_factory: StoreFactory) -> None:
    store = store_factory.open()
    store.commit([PutDocument("things", "a", {}, None)])
    [deleted, never] = store.commit([DeleteDocument("things", "a", 1), DeleteDocument("things", "b")])

    assert (deleted.changed, never.changed) == (1, 0)
    store = store_factory.reopen()
    assert store.document("things", "a") is None
    with pytest.raises(RevisionMismatch):
        store.commit([DeleteDocument("things", "a", 1)])
    assert store.commit([PutDocument("things", "a", {}, 0)])[0].revision == 1


def test_documents_are_listed_page_by_page_in_order_of_their_keys(store: ContentStore) -> None:
    names = ["", "B", "a", "aa", "b", "z", "ä", "€", "😀"]
    store.commit([PutDocument("things", name, {}, None) for name in reversed(names)])
    store.commit([PutDocument(other, "x", {}, None) for other in ("thing", "things2")])

    assert keys(store.documents("things")) == names
    assert keys(store.documents("things", limit=2)) == ["", "B"]
    assert keys(store.documents("things", after="B", limit=2)) == ["a", "aa"]
    assert keys(store.documents("things", after="")) == names[1:]
    assert keys(store.documents("things", after="c")) == names[5:]
    assert store.documents("things", after="😀") == []
    assert store.documents("things", limit=0) == []
    assert store.documents("none") == []


def test_a_document_is_a_copy(store: ContentStore) -> None:
    value = {"list": [1]}
    store.commit([PutDocument("things", "a", value, None)])
    value["list"].append(2)

    found = store.document("things", "a")

    assert found is not None
    assert found.value == {"list": [1]}
