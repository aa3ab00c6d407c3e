"""Which planes of a payload are there: one rule for all stores."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def are_new(wanted: Collection[int], lengths: Sequence[int]) -> bool:
    """Whether none of the planes ``wanted`` is there; ``lengths`` in bytes, of none where no payload is.

    A plane of 0 bytes stands for one that is missing beside others, and for itself in a payload that has no
    byte at all.
    """
    if not any(lengths):
        return all(plane >= len(lengths) for plane in wanted)
    return not any(lengths[plane] for plane in wanted if plane < len(lengths))
