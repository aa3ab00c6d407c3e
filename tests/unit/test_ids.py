"""Ids are UUIDs of version 7 that sort by when they were made."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest

from jobengine.ids import derived_id, new_element_id, new_id


def test_u53_ten_thousand_pairs_rise_strictly() -> None:
    ids = [new_element_id() for _ in range(20_000)]
    assert all(earlier < later for earlier, later in pairwise(ids))


def test_the_text_of_ids_sorts_like_their_bytes() -> None:
    texts = [new_id() for _ in range(1000)]
    assert sorted(texts) == sorted(texts, key=lambda text: UUID(text).bytes) == texts


@pytest.mark.parametrize("shift_ms", [-1000, -1, 1, 1000])
def test_u53_an_id_of_another_moment_stands_before_or_behind(shift_ms: int) -> None:
    element_id = new_element_id()
    made_ms = int.from_bytes(element_id[:6], "big")
    shifted = derived_id(made_ms + shift_ms, "name")
    assert (shifted > element_id) == (shift_ms > 0)


def test_a_derived_id_follows_from_its_name() -> None:
    first = derived_id(1_700_000_000_000, "a")
    assert first == derived_id(1_700_000_000_000, "a") != derived_id(1_700_000_000_000, "b")
    assert (UUID(bytes=first).version, UUID(bytes=first).variant) == (7, "specified in RFC 4122")
    assert int.from_bytes(first[:6], "big") == 1_700_000_000_000
