"""Levels of blocks of any length and width."""

from __future__ import annotations

import numpy as np
import pytest

from jobengine.media.gain import Samples
from jobengine.media.meter import FLOOR_DBFS, Meter


def put(meter: Meter, block: Samples) -> None:
    meter.room(len(block))[:] = block
    meter.add(len(block))


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 32, 128])
@pytest.mark.parametrize("length", [1, 127, 128, 1_000])
def test_peak_and_rms_are_those_of_numpy(channels: int, length: int) -> None:
    block = np.random.default_rng(1).uniform(-1, 1, (length, channels)).astype(np.float32)
    meter = Meter(channels, 1_000)
    put(meter, block)
    put(meter, block[: length // 2])
    every = np.concatenate([block, block[: length // 2]]).astype(np.float64)
    levels = meter.take()
    peak, rms = 20 * np.log10(np.abs(every).max(axis=0)), 10 * np.log10((every**2).mean(axis=0))
    assert [level.peak_dbfs for level in levels] == pytest.approx(peak, abs=0.006)
    assert [level.rms_dbfs for level in levels] == pytest.approx(rms, abs=0.006)


def test_silence_and_nothing_have_the_floor() -> None:
    meter = Meter(2, 10)
    assert {level.peak_dbfs for level in meter.take()} == {FLOOR_DBFS}
    put(meter, np.zeros((10, 2), np.float32))
    assert {level.rms_dbfs for level in meter.take()} == {FLOOR_DBFS}


def test_levels_are_the_same_in_whatever_blocks_they_came() -> None:
    samples = np.random.default_rng(2).uniform(-1, 1, (20_001, 2)).astype(np.float32)
    at_once, in_blocks = Meter(2, 20_001), Meter(2, 1_024)
    put(at_once, samples)
    for begin in range(0, len(samples), 1_000):
        put(in_blocks, samples[begin : begin + 1_000])
    assert in_blocks.take() == at_once.take()
    assert {level.peak_dbfs for level in in_blocks.take()} == {FLOOR_DBFS}
