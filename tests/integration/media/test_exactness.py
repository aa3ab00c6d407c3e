"""The stream clock: every change at exactly its sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.integration.media.sounds import AT, constant, counter, mixer, noise, prepare, read, run, spec

FULL = 2**31
STEP_AT = 100_003
RAMP_MS, RAMP_SAMPLES = 165, 7920


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("resolution", [16, 24, 32])
@pytest.mark.parametrize("block", [480, 1024, 4096])
def test_gain_step_changes_exactly_its_sample(tmp_path: Path, rate: int, resolution: int, block: int) -> None:
    constant(tmp_path / "in.wav", 110_000, 0.5, rate=rate)
    pipe = prepare(tmp_path, spec(["in.wav"], format={"resolution": resolution}))
    pipe.start(AT)
    while pipe.position < STEP_AT:
        pipe.advance(min(block, STEP_AT - pipe.position))
    pipe.set_mixer(mixer(0.5))
    out = read(run(pipe, block))
    assert len(out) == 110_000
    assert (out[:STEP_AT] == FULL // 2).all()
    assert (out[STEP_AT:] == FULL // 4).all()


@pytest.mark.parametrize("resolution", [16, 24, 32])
def test_fade_begins_behind_its_sample_and_ends_on_its_sample(tmp_path: Path, resolution: int) -> None:
    constant(tmp_path / "in.wav", 200_000, 0.5)
    pipe = prepare(tmp_path, spec(["in.wav"], format={"resolution": resolution}))
    pipe.start(AT)
    pipe.advance(150_001)
    pipe.set_mixer(mixer(0.0, RAMP_MS))
    out = read(run(pipe, 4096))[:, 0] / FULL
    level = np.interp(np.arange(200_000), [150_001, 150_001 + RAMP_SAMPLES], [0.5, 0.0])
    lsb = 2.0 ** -(min(resolution, 24) - 1)
    assert (out[:150_002] == 0.5).all()
    assert out[150_001 + RAMP_SAMPLES - 1] > 0 or resolution == 16
    assert (out[150_001 + RAMP_SAMPLES :] == 0).all()
    assert np.abs(out - level).max() <= lsb


def test_first_changed_sample_of_a_fade_is_the_next_one(tmp_path: Path) -> None:
    constant(tmp_path / "in.wav", 2_000, 0.5)
    pipe = prepare(tmp_path, spec(["in.wav"], format={"resolution": 32}))
    pipe.start(AT)
    pipe.advance(1_000)
    pipe.set_mixer(mixer(0.0, 10))
    out = read(run(pipe))[:, 0]
    assert out[1_000] == FULL // 2
    assert out[1_001] < FULL // 2
    assert out[1_479] > 0
    assert out[1_480] == 0


def test_new_level_in_mid_fade_goes_on_from_the_momentary_level(tmp_path: Path) -> None:
    constant(tmp_path / "in.wav", 100_000, 0.5)
    pipe = prepare(tmp_path, spec(["in.wav"], format={"resolution": 24}))
    pipe.start(AT)
    pipe.advance(10_007)
    pipe.set_mixer(mixer(0.0, 1_000))
    pipe.advance(20_011)
    pipe.set_mixer(mixer(1.0, 500))
    out = read(run(pipe, 1024))[:, 0] / FULL
    steps = np.abs(np.diff(out))
    assert steps[:30_018].max() <= 0.5 / 48_000 + 2**-23
    assert steps.max() <= 0.5 / 24_000 + 2**-23
    assert out[-1] == 0.5


def test_unchanged_level_does_not_restart_its_fade(tmp_path: Path) -> None:
    constant(tmp_path / "in.wav", 4_000, 0.5)
    pipe = prepare(tmp_path, spec(["in.wav"], format={"resolution": 32}))
    pipe.start(AT)
    pipe.set_mixer(mixer(0.0, 40))
    pipe.advance(960)
    pipe.set_mixer(mixer(0.0, 40))
    out = read(run(pipe))[:, 0]
    assert out[1_920] == 0
    assert out[1_919] > 0


def test_paused_stretch_of_a_live_input_is_missing_exactly(tmp_path: Path) -> None:
    document = spec(["x"], format={"resolution": 24, "channels": 1}) | {
        "inputGraph": [
            {
                "name": "In",
                "filter": [{"name": "Audio Synthesizer", "waveform": {"form": "Sine", "frequency": 441.5}}],
            }
        ]
    }
    whole = prepare(tmp_path, document)
    whole.start(AT)
    whole.advance(30_000)
    whole.close()
    paused = prepare(tmp_path, document)
    paused.start(AT)
    paused.advance(10_007)
    paused.discard(5_003)
    assert paused.position == 10_007
    paused.advance(9_001)
    paused.close()
    complete, cut = read(whole.outputs[0].path), read(paused.outputs[0].path)
    assert (cut == np.concatenate([complete[:10_007], complete[15_010:24_011]])).all()


def test_file_stands_still_while_paused(tmp_path: Path) -> None:
    counter(tmp_path / "in.wav", 30_000)
    pipe = prepare(tmp_path, spec(["in.wav"], format={"resolution": 24}))
    pipe.start(AT)
    pipe.advance(7_001)
    pipe.discard(48_000)
    assert (read(run(pipe))[:, 0] >> 8 == np.arange(30_000)).all()


@pytest.mark.parametrize("position", [1, 16_384, 23_456, 29_999])
def test_resuming_goes_on_at_exactly_the_next_sample(tmp_path: Path, position: int) -> None:
    counter(tmp_path / "in.wav", 30_000)
    document = spec(["in.wav"], format={"resolution": 24})
    first = prepare(tmp_path, document)
    first.start(AT)
    first.advance(position)
    first.close()
    second = prepare(tmp_path, document, resume_position=position, previous=tuple(first.outputs))
    run(second)
    assert second.position == 30_000
    assert [Path(o.path or "").name for o in second.outputs] == ["out.wav", "out_1.wav"]
    assert second.outputs[1].start_position == position
    joined = np.concatenate([read(output.path) for output in second.outputs])
    assert (joined[:, 0] >> 8 == np.arange(30_000)).all()


def test_resuming_behind_a_resampler_gives_the_same_samples(tmp_path: Path) -> None:
    counter(tmp_path / "in.wav", 60_000, rate=44_100)
    document = spec(["in.wav"], format={"resolution": 32, "sampleRate": 48_000})
    whole = read(run(prepare(tmp_path, document)))
    second = prepare(tmp_path, document, resume_position=20_011)
    rest = read(run(second))
    assert len(rest) == len(whole) - 20_011
    assert np.abs(rest[:-64].astype(np.int64) - whole[20_011:-64]).max() <= 2**8


@pytest.mark.parametrize("block", [1, 480, 1_023, 16_384])
def test_block_length_changes_nothing(tmp_path: Path, block: int) -> None:
    noise(tmp_path / "a.wav", 3_001)
    noise(tmp_path / "b.wav", 2_003, channels=1)
    document = spec(["a.wav", "b.wav"], {"inputLevel": [{"graph": "a.wav", "level": 0.3}]})
    reference = read(run(prepare(tmp_path, document)))
    assert (read(run(prepare(tmp_path, document), block)) == reference).all()
