"""Routing and sums, against numpy and against the ffmpeg command line."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobengine.errors import MediaError
from tests.integration.media.sounds import AT, constant, noise, prepare, read, run, spec
from tests.waiting import PATIENCE_S


def points(*gains: tuple[int, int, float]) -> Any:
    return {
        "matrix": [
            {"input": "in.wav", "inChannel": i, "output": "Out", "outChannel": o, "gain": gain}
            for i, o, gain in gains
        ]
    }


@pytest.mark.parametrize("channels", [8, 32])
def test_matrix_picks_channels_bit_for_bit(tmp_path: Path, channels: int) -> None:
    noise(tmp_path / "in.wav", 20_000, channels)
    matrix = points((1, 0, 1.0), (2, 1, 0.5), (7, 1, 0.5))
    out = read(run(prepare(tmp_path, spec(["in.wav"], matrix, format={"resolution": 24}))))
    given = read(tmp_path / "in.wav")
    assert out.shape == (20_000, 2)
    assert (out[:, 0] == given[:, 1]).all()
    assert (out[:, 1] == (given[:, 2] + given[:, 7]) // 2).all()


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("block", [480, 1 << 20])
def test_mix_is_bit_identical_to_ffmpeg(tmp_path: Path, block: int) -> None:
    noise(tmp_path / "a.wav", 100_003)
    noise(tmp_path / "b.wav", 90_001)
    levels = {"inputLevel": [{"graph": "a.wav", "level": 0.7}, {"graph": "b.wav", "level": 1.9}]}
    out = read(run(prepare(tmp_path, spec(["a.wav", "b.wav"], levels)), block))
    mixing = "[0]volume=0.7[x];[1]volume=1.9[y];[x][y]amix=normalize=0"
    command = ["ffmpeg", "-v", "error", "-i", "a.wav", "-i", "b.wav", "-filter_complex", mixing, "ref.wav"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=PATIENCE_S)
    assert (out == read(tmp_path / "ref.wav")).all()


@pytest.mark.parametrize(("resolution", "subtype"), [(16, "PCM_16"), (24, "PCM_24"), (32, "FLOAT")])
@pytest.mark.parametrize("encoder", ["WAVDest", "FLACDest"])
def test_unity_gain_changes_no_sample(tmp_path: Path, resolution: int, subtype: str, encoder: str) -> None:
    if (encoder, resolution) == ("FLACDest", 32):
        pytest.skip("FLAC holds no floats")
    noise(tmp_path / "in.wav", 50_021, subtype=subtype)
    document = spec(["in.wav"], format={"resolution": resolution}, encoder={"name": encoder})
    assert (read(run(prepare(tmp_path, document))) == read(tmp_path / "in.wav")).all()


def test_mono_goes_to_all_channels(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 1_000, channels=1)
    out = read(run(prepare(tmp_path, spec(["in.wav"], format={"channels": 6}))))
    assert (out == read(tmp_path / "in.wav")).all()
    assert out.shape == (1_000, 6)


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(("given", "wanted"), [(6, 2), (2, 1), (6, 1), (2, 6), (8, 2)])
def test_default_routing_mixes_like_ffmpeg(tmp_path: Path, given: int, wanted: int) -> None:
    noise(tmp_path / "raw.wav", 5_000, given)
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
    place = ["-af", f"channelmap=channel_layout={layout[given]}"]
    run_ffmpeg(tmp_path, "raw.wav", *place, "in.wav")
    run_ffmpeg(tmp_path, "in.wav", "-ac", str(wanted), "ref.wav")
    out = read(run(prepare(tmp_path, spec(["in.wav"], format={"channels": wanted}))))
    assert np.abs(out - read(tmp_path / "ref.wav")).max() <= 2 * 2**16


def run_ffmpeg(folder: Path, given: str, *arguments: str) -> None:
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", given, *arguments], cwd=folder, check=True, timeout=PATIENCE_S
    )


def test_channels_without_places_are_refused_as_ambiguous(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 1_000, channels=12)
    with pytest.raises(MediaError, match=r"12 channels of 'in.wav' to 2 of 'Out' is ambiguous"):
        prepare(tmp_path, spec(["in.wav"], format={"channels": 2}))


def test_matrix_beyond_the_input_is_refused(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 1_000)
    with pytest.raises(MediaError, match=r"channel 2 of 'in.wav', which has 2 from 0"):
        prepare(tmp_path, spec(["in.wav"], points((2, 0, 1.0))))


def test_ended_input_is_silent_until_the_last_ends(tmp_path: Path) -> None:
    constant(tmp_path / "short.wav", 1_001, 0.25)
    constant(tmp_path / "long.wav", 20_003, 0.5)
    out = read(run(prepare(tmp_path, spec(["short.wav", "long.wav"], format={"resolution": 32}))))
    assert len(out) == 20_003
    assert (out[:1_001] == 0.75 * 2**31).all()
    assert (out[1_001:] == 0.5 * 2**31).all()


def test_each_output_has_its_own_rate_and_channels(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 44_100, rate=44_100)
    document = spec(["in.wav"], format={"sampleRate": 44_100})
    document["outputGraph"].append(
        {
            "name": "Second",
            "format": {"sampleRate": 48_000, "channels": 1, "resolution": 24},
            "filter": [{"name": "FLACDest"}, {"name": "FileWriter", "filePath": "second.flac"}],
        }
    )
    pipe = prepare(tmp_path, document)
    run(pipe, 1_000)
    assert [(o.graph, o.sample_rate, o.samples) for o in pipe.outputs] == [
        ("Out", 44_100, 44_100),
        ("Second", 48_000, 48_000),
    ]
    assert read(tmp_path / "second.flac").shape == (48_000, 1)


def test_pipe_without_outputs_reads_its_input(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 20_000)
    pipe = prepare(tmp_path, spec(["in.wav"]) | {"outputGraph": []})
    pipe.start(AT)
    assert pipe.advance(1 << 20) == 20_000
    assert pipe.at_end
    pipe.close()


def test_levels_are_those_of_the_sound(tmp_path: Path) -> None:
    constant(tmp_path / "in.wav", 30_000, 0.5)
    pipe = prepare(tmp_path, spec(["in.wav"], {"outputLevel": [{"graph": "Out", "level": 0.5}]}))
    run(pipe, 1_000)
    levels = pipe.take_levels()
    assert [(x.peak_dbfs, x.rms_dbfs) for x in levels["in.wav"]] == [(-6.02, -6.02)] * 2
    assert [(x.peak_dbfs, x.rms_dbfs) for x in levels["Out"]] == [(-12.04, -12.04)] * 2
    assert pipe.take_levels()["Out"][0].peak_dbfs == -150.0
