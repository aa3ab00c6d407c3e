"""A watch of a catalogue finds every change and reads the contents that have changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.changes import Change
from jobengine.contents.embedded import EmbeddedContents
from jobengine.contents.last_changes import REMEMBERED, changes_since, count_change
from jobengine.contents.watch import CatalogueWatch
from jobengine.ports.contents import ContentStore
from jobengine.testing.contents.store import MemoryContents

CLOCK = SystemClock()
FORMAT = {"type": "format"}


class Counted:
    """A store that counts how often documents are listed."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store
        self.listed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def documents(self, *given: Any, **named: Any) -> Any:
        self.listed += 1
        return self._store.documents(*given, **named)


@pytest.fixture(params=["embedded", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    is_memory = request.param == "memory"
    opened = MemoryContents(CLOCK) if is_memory else EmbeddedContents(tmp_path / "contents", CLOCK)
    yield Counted(opened)
    opened.close()


@pytest.fixture
def catalogue(store: ContentStore) -> Catalogue:
    """With contents ``a`` and ``b``."""
    made = Catalogue(store, CLOCK)
    for name in "ab":
        made.create(name, FORMAT, [])
    return made


@pytest.fixture
def watch(catalogue: Catalogue) -> CatalogueWatch:
    """It has looked once."""
    made = CatalogueWatch(catalogue)
    assert made.look() == []
    return made


def change(catalogue: Catalogue, name: str, title: str) -> None:
    content = catalogue.get(name)
    catalogue.change(replace(content, format={**FORMAT, "title": title}), content.revision)


def make_anew(catalogue: Catalogue, name: str) -> None:
    catalogue.delete(name)
    catalogue.create(name, FORMAT, [])


def test_a_few_changes_are_found_without_listing_the_catalogue(
    store: Any, catalogue: Catalogue, watch: CatalogueWatch
) -> None:
    listed = store.listed
    catalogue.create("c", FORMAT, [])
    change(catalogue, "a", "News")
    make_anew(catalogue, "b")
    found = watch.look()
    catalogue.delete("c")

    assert found == [
        Change("b", "deleted"),
        Change("c", "created"),
        Change("a", "changed"),
        Change("b", "created"),
    ]
    assert watch.look() == [Change("c", "deleted")]
    assert watch.look() == []
    assert store.listed == listed


def test_more_changes_than_are_remembered_are_found_by_listing(
    store: Any, catalogue: Catalogue, watch: CatalogueWatch
) -> None:
    listed = store.listed
    change(catalogue, "a", "first of all")
    for number in range(REMEMBERED):
        change(catalogue, "b", str(number))

    assert watch.look() == [Change("a", "changed"), Change("b", "changed")]
    assert store.listed > listed


def test_of_two_changes_at_once_none_is_missed(
    store: Any, catalogue: Catalogue, watch: CatalogueWatch
) -> None:
    """Both writers read the number of changes before either has stored its own."""
    other = Catalogue(store, CLOCK)
    for before, after in (("a", "b"), ("b", "a")):
        content = catalogue.get(after)
        late = count_change(store, after)
        change(other, before, f"{before} first")
        other.change(replace(content, format={**FORMAT, "title": "late"}), content.revision)
        store.commit([late])  # as if the name of the other one had been lost in between

        assert {found.content for found in watch.look()} == {"a", "b"}


def test_names_lost_between_two_writers_are_known_to_be_missing(store: Any, catalogue: Catalogue) -> None:
    before = changes_since(store, 0).count
    first, second = count_change(store, "a"), count_change(store, "b")
    store.commit([first])
    assert changes_since(store, before).names == ("a",)
    store.commit([second])
    assert changes_since(store, before).names is None
    assert changes_since(store, before + 1).names is None
    store.commit([count_change(store, "c")])
    assert changes_since(store, before + 1).names is None
    assert changes_since(store, before + 2).names == ("c",)


def test_a_store_that_has_counted_less_than_was_seen_is_looked_at_as_a_whole(
    store: Any, catalogue: Catalogue
) -> None:
    assert changes_since(store, 99).names is None


def test_a_look_that_failed_is_made_good_by_the_next(
    store: Any, catalogue: Catalogue, watch: CatalogueWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(catalogue, "a", "News")
    catalogue.delete("b")
    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "find", lambda name: {}[name])
        for _ in range(2):
            with pytest.raises(KeyError):
                watch.look()

    assert watch.look() == [Change("b", "deleted"), Change("a", "changed")]
