"""What was acknowledged is there after a power cut at any moment, whatever else reached the disk."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jobengine.contents.embedded import EmbeddedContents, sharing
from jobengine.model.element import PTS_MAX, PTS_MIN, PayloadState, StoredElement
from jobengine.ports.contents import Buffer, DeleteElements, DropPayloads, PutDocument
from tests.unit.contents.files import STREAM, opened, put
from tests.unit.contents.power_cut import Disk

STEPS = 80
CUTS = 10


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The disk below ``tmp_path / "power"``."""
    (tmp_path / "power").mkdir()
    disk = Disk(tmp_path / "power", monkeypatch)
    yield disk
    disk.close()


@dataclass
class Promises:
    """What a store has said is done: whether the payload of each element is there, and a document's value."""

    elements: dict[int, bool] = field(default_factory=dict)
    document: int | None = None

    def are_kept(self, store: EmbeddedContents) -> bool:
        """Whether the store has exactly that, and can read it."""
        found = store.range(STREAM, PTS_MIN, PTS_MAX)
        planes = store.payloads(found)
        note = store.document("things", "a")
        return (
            Promises(
                {
                    each.element.pts or 0: _is_right(each, got)
                    for each, got in zip(found, planes, strict=True)
                },
                note.value["n"] if note else None,
            )
            == self
        )


class Writer:
    """Somebody who writes, deletes and lets go at random, and keeps in mind what was acknowledged."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._next = 0
        self.promised = Promises()

    def step(self, store: EmbeddedContents) -> None:
        """Do one thing; segments that are free go now and then."""
        puts = [self._put] * 4
        self._rng.choice([*puts, self._drop, self._delete, self._note, self._free])(store)

    def _put(self, store: EmbeddedContents) -> None:
        new = range(self._next, self._next + self._rng.randint(1, 4))
        store.commit([put(pts, size=self._rng.choice((12, 3000, 20_000))) for pts in new])
        self._next = new.stop
        self._promise(self.promised.elements | dict.fromkeys(new, True))

    def _drop(self, store: EmbeddedContents) -> None:
        gone = self._range()
        store.commit([DropPayloads(STREAM, gone[0], gone[-1])])
        kept = self.promised.elements
        self._promise({pts: here and pts not in gone for pts, here in kept.items()})

    def _delete(self, store: EmbeddedContents) -> None:
        gone = self._range()
        store.commit([DeleteElements(STREAM, gone[0], gone[-1])])
        kept = self.promised.elements
        self._promise({pts: here for pts, here in kept.items() if pts not in gone})

    def _note(self, store: EmbeddedContents) -> None:
        store.commit([PutDocument("things", "a", {"n": self._next}, None)])
        self.promised = replace(self.promised, document=self._next)

    def _free(self, store: EmbeddedContents) -> None:
        while store.expire(0).freed_bytes:
            pass

    def _promise(self, elements: dict[int, bool]) -> None:
        self.promised = replace(self.promised, elements=elements)

    def _range(self) -> range:
        first = self._rng.randint(0, self._next)
        return range(first, first + self._rng.randint(1, 30))


def _is_right(element: StoredElement, planes: Sequence[Buffer] | None) -> bool:
    """Whether the payload is there; fails if it is not what was put, or the element says otherwise."""
    said = b"%d" % (element.element.pts or 0)
    assert element.element.attributes == said
    assert (element.payload is PayloadState.HERE) == (planes is not None)
    assert planes is None or bytes(planes[0]).rstrip(b".") == said
    return planes is not None


@pytest.mark.parametrize("seed", range(8))
def test_a_power_cut_takes_nothing_that_was_acknowledged(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    writer = Writer(rng)
    found: dict[Path, list[Promises]] = {}
    with opened(tmp_path / "power" / "store") as store:
        disk.sync_all(tmp_path / "power")
        cuts = set(rng.sample(range(STEPS), CUTS))
        for number in range(STEPS):
            before, target = writer.promised, tmp_path / str(number)
            is_within = number in cuts and rng.random() < 0.5
            if is_within:
                disk.cut_before_sync(target, number)
            writer.step(store)
            if is_within and disk.cut_came():
                found[target] = [before, writer.promised]
            elif number in cuts:
                disk.cut(target, number)
                found[target] = [writer.promised]

    _another_run_of_the_machine(tmp_path, monkeypatch)
    assert len(found) == CUTS
    for target, possible in found.items():
        with opened(target / "store") as store:
            assert any(promises.are_kept(store) for promises in possible)


def _another_run_of_the_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot_id = folder / "boot_id"
    boot_id.write_text("another")
    monkeypatch.setattr(sharing, "_BOOT_ID", boot_id)
