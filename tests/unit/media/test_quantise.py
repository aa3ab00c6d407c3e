"""From float to integer samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.media.quantise import Quantiser


@pytest.mark.parametrize("bit", [16, 24])
def test_halves_go_to_even_and_beyond_full_scale_is_clipped(bit: int) -> None:
    scale = 2 ** (bit - 1)
    given_values = [0.5 / scale, 1.5 / scale, -0.5 / scale, -2.5 / scale, 1.0, -1.0, 7.0, -7.0]
    block = np.array(given_values, np.float32)[:, np.newaxis]
    result = Quantiser(bit, 1, 16).integers(block)
    assert result[:, 0].tolist() == [0, 2, 0, -2, scale - 1, -scale, scale - 1, -scale]


@given(st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1, max_size=64))
def test_24_bit_integers_survive_float(integers: list[int]) -> None:
    block = (np.array(integers, np.float64) / 2**23).astype(np.float32)[:, np.newaxis]
    assert Quantiser(24, 1, 64).integers(block)[:, 0].tolist() == integers
