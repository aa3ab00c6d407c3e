"""Gains: steps, ramps, and their values in whatever blocks they are asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jobengine.media.gain import Gain

levels = st.floats(0, 4, allow_nan=False)
positions = st.integers(0, 10**12)
lengths = st.integers(0, 3_000)


def values(gain: Gain, position: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    into = np.empty(count, np.float32)
    gain.fill(position, into)
    return into


@given(levels, levels, positions, lengths)
def test_ramp_has_the_old_value_at_its_start_and_the_new_one_at_its_end(
    old: float, new: float, position: int, length: int
) -> None:
    gain = Gain(old)
    gain.change(new, position, length)
    assert gain.at(position) == (old if length else new)
    assert gain.at(position + length) == new
    assert gain.at(position + length + 1) == new


@given(levels, levels, positions, lengths, st.lists(st.integers(1, 700), max_size=8))
def test_blocks_of_any_length_give_the_same_values(
    old: float, new: float, position: int, length: int, blocks: list[int]
) -> None:
    gain = Gain(old)
    gain.change(new, position, length)
    whole = values(gain, position, sum(blocks))
    parts, place = [np.empty(0, np.float32)], position
    for count in blocks:
        parts.append(values(gain, place, count))
        place += count
    assert (np.concatenate(parts) == whole).all()
    assert all(whole[n] == np.float32(gain.at(position + n)) for n in range(0, len(whole), 97))


@given(st.tuples(levels, levels, levels), positions, st.integers(1, 3_000), st.integers(0, 3_000), lengths)
def test_change_in_mid_ramp_goes_on_from_the_momentary_value(
    targets: tuple[float, float, float], position: int, length: int, later: int, next_length: int
) -> None:
    first, second, third = targets
    gain = Gain(first)
    gain.change(second, position, length)
    momentary = gain.at(position + later)
    gain.change(third, position + later, next_length)
    assert gain.at(position + later) == (momentary if next_length else third)
    assert gain.at(position + later + next_length) == third


@given(levels, levels, positions, lengths, st.integers(0, 4_000))
def test_constant_gain_does_not_move(old: float, new: float, position: int, length: int, later: int) -> None:
    gain = Gain(old)
    gain.change(new, position, length)
    constant = gain.constant(position + later)
    if constant is not None:
        assert (values(gain, position + later, 50) == np.float32(constant)).all()
    else:
        assert later < length
        assert old != new


@given(levels, levels, positions, st.integers(1, 3_000))
def test_ramp_stays_between_its_ends(old: float, new: float, position: int, length: int) -> None:
    gain = Gain(old)
    gain.change(new, position, length)
    ramp = values(gain, position, length + 10)
    assert ramp.min() >= np.float32(min(old, new)) - 1e-6
    assert ramp.max() <= np.float32(max(old, new)) + 1e-6
