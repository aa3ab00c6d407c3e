"""The ledger tells the last element that is safe, whatever happened to its file."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jobengine.worker.restream.ledger import Delivered, Ledger


def delivered(count: int) -> Delivered:
    place = (1, 0, count, 0, 0, 7)
    return Delivered(*place, count, count // 10, count * 33_333, -count, count, count.to_bytes(16, "big"))


def test_a_new_ledger_knows_of_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new" / "job.delivered")
    assert ledger.last is None
    ledger.close()


def test_the_last_note_is_read_without_an_orderly_end(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    for count in range(1, 1001):
        ledger.note(delivered(count), count)
    successor = Ledger(tmp_path / "ledger")
    assert (successor.last, successor.mark) == (delivered(1000), 1000)
    successor.note(delivered(1001), 0)
    successor.close()
    ledger.close()
    third = Ledger(tmp_path / "ledger")
    assert (third.last, third.mark) == (delivered(1001), 0)
    third.close()


@given(st.integers(0, 255), st.integers(0, 255))
def test_a_torn_note_leaves_the_one_before(tmp_path_factory: object, place: int, value: int) -> None:
    path = tmp_path_factory.mktemp("ledger") / "torn"  # type: ignore[attr-defined]
    ledger = Ledger(path)
    ledger.note(delivered(7), 70)
    ledger.note(delivered(8), 80)
    ledger.close()
    content = bytearray(path.read_bytes())
    content[place] = value
    path.write_bytes(content)
    torn = Ledger(path)
    assert (torn.last, torn.mark) in ((delivered(7), 70), (delivered(8), 80))
    torn.close()
