"""Sources: what is read, from where, and what is refused with which sentence."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from jobengine.errors import MediaError
from jobengine.media.pipe import Pipe, PipeContext
from jobengine.model.pipe import PipeSpec
from jobengine.model.roots import MediaRoots
from tests.integration.media.sounds import AT, counter, noise, prepare, read, run, spec
from tests.needs import media_folder
from tests.waiting import PATIENCE_S

LENA_SAMPLES = 541_184


@pytest.mark.needs("media")
@pytest.mark.parametrize(
    ("clip", "samples"),
    [
        *((f"lena.{ending}", LENA_SAMPLES) for ending in ("wav", "flac", "mp3", "ogg", "caf")),
        *((f"lena-{kind}", LENA_SAMPLES) for kind in ("24.aiff", "32.aiff", "f32.caf")),
        *((f"lena-{kind}.aiff", 98_174) for kind in ("alaw", "ulaw")),
        ("lena.aiff", 542_144),
        ("lena.aac", 543_744),
    ],
)
def test_every_form_of_a_clip_has_its_length(tmp_path: Path, clip: str, samples: int) -> None:
    native = prepare_with_roots(tmp_path, spec([str(media_folder() / clip)]), media_folder())
    run(native)
    assert native.position == samples
    document = spec([str(media_folder() / clip)], format={"sampleRate": 48_000})
    converted = prepare_with_roots(tmp_path, document, media_folder())
    run(converted)
    assert abs(converted.position - round(samples * 48_000 / native.sample_rate)) <= clip.endswith("aac")


@pytest.mark.needs("media")
def test_aac_in_mp4_has_its_length_but_for_the_last_packet(tmp_path: Path) -> None:
    """FFmpeg before 9 (PyAV before 19) does not cut the padding of the last packet."""
    pipe = prepare_with_roots(tmp_path, spec([str(media_folder() / "lena.m4a")]), media_folder())
    run(pipe)
    assert 541_151 <= pipe.position < 541_151 + 1_024


def prepare_with_roots(folder: Path, document: dict[str, Any], root: Path) -> Pipe:
    roots = MediaRoots(PurePosixPath(folder), (PurePosixPath(root),))
    return Pipe.prepare(PipeSpec.model_validate(document), PipeContext(roots))


@pytest.mark.parametrize(("given", "wanted"), [(44_100, 48_000), (48_000, 44_100), (11_025, 96_000)])
def test_resampling_gives_the_rounded_length(tmp_path: Path, given: int, wanted: int) -> None:
    noise(tmp_path / "in.wav", 54_117, rate=given)
    pipe = prepare(tmp_path, spec(["in.wav"], format={"sampleRate": wanted}))
    run(pipe, 1_000)
    assert abs(pipe.position - 54_117 * wanted / given) <= 1


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("ending", ["wav", "flac", "m4a", "ogg"])
@pytest.mark.parametrize("offset_ms", [1, 1_003])
def test_start_offset_and_duration_cut_exactly(tmp_path: Path, ending: str, offset_ms: int) -> None:
    noise(tmp_path / "raw.wav", 144_000)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "raw.wav", f"in.{ending}"],
        cwd=tmp_path,
        check=True,
        timeout=PATIENCE_S,
    )
    name = f"in.{ending}"
    whole = read(run(prepare(tmp_path, spec([name], format={"resolution": 32}))))
    cut = spec(
        [name],
        format={"resolution": 32},
        startOffset=f"00:00:{offset_ms / 1000:06.3f}",
        duration="00:00:00.501",
    )
    out = read(run(prepare(tmp_path, cut), 1_000))
    assert (out == whole[offset_ms * 48 :][: 501 * 48]).all()
    assert len(out) == 501 * 48


def test_start_offset_behind_the_end_is_refused(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 48_000)
    with pytest.raises(MediaError, match=r"startOffset is beyond the end of in.wav"):
        prepare(tmp_path, spec(["in.wav"], startOffset="00:02"))


def test_resuming_behind_the_end_is_at_the_end(tmp_path: Path) -> None:
    counter(tmp_path / "in.wav", 1_000)
    pipe = prepare(tmp_path, spec(["in.wav"]), resume_position=2_000)
    pipe.start(AT)
    assert pipe.advance(100) == 0
    assert pipe.at_end
    pipe.close()


def generated(**members: Any) -> dict[str, Any]:
    source = {"name": "Audio Synthesizer", **members}
    return spec(["x"]) | {"inputGraph": [{"name": "In", "filter": [source]}]}


@pytest.mark.parametrize("form", ["Sine", "rect"])
@pytest.mark.parametrize("frequency", [1_000, 441.5])
def test_waveform_is_the_formula(tmp_path: Path, form: str, frequency: float) -> None:
    waveform = {"form": form, "frequency": frequency, "amplitude": 25}
    pipe = prepare(tmp_path, generated(waveform=waveform, format={"numberOfChannels": 1}))
    assert (pipe.is_live, pipe.block_samples, pipe.sample_rate) == (True, 1_024, 48_000)
    pipe.start(AT)
    pipe.advance(5_001)
    pipe.close()
    turns = np.arange(5_001) * frequency / 48_000
    sine = 0.25 * np.sin(2 * np.pi * turns)
    expected = sine if form == "Sine" else np.where(turns % 1 < 0.5, 0.25, -0.25)
    assert np.abs(read(pipe.outputs[0].path)[:, 0] / 2**31 - expected).max() <= 2**-15


def test_generator_runs_unpaced_and_ends_by_its_duration(tmp_path: Path) -> None:
    pipe = prepare(tmp_path, generated(source="sine=frequency=1000:duration=0.5", realTime="false"))
    assert (pipe.is_live, pipe.sample_rate) == (False, 44_100)
    run(pipe)
    assert pipe.position == 22_050


def test_file_end_rules_beside_an_endless_signal(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 10_001)
    document = spec(["in.wav"])
    signal = {"name": "Audio Synthesizer", "source": "anoisesrc", "realTime": False}
    document["inputGraph"].append({"name": "Noise", "filter": [signal]})
    pipe = prepare(tmp_path, document)
    run(pipe)
    assert pipe.position == 10_001


def test_wrong_generator_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"the generator 'sine=wrong=1'"):
        prepare(tmp_path, generated(source="sine=wrong=1"))


def test_sample_document_of_road_fails_for_its_device_with_a_sentence(tmp_path: Path) -> None:
    source = {"Name": "ASIO Source", "Device": {"Name": "ASIO Hammerfall DSP", "Channels": "1, 2, 7"}}
    document = spec(["x"], file="\\\\fileserver1\\test\\file1.wav")
    document["inputGraph"] = [{"Name": "Input", "Filter": [source]}]
    with pytest.raises(MediaError, match=r"no such device on this machine \(studio-1\): ASIO Source"):
        prepare(tmp_path, document)


def test_windows_path_is_refused_with_a_sentence(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 100)
    with pytest.raises(MediaError, match="is a Windows path"):
        prepare(tmp_path, spec(["in.wav"], file="\\\\fileserver1\\test\\file1.wav"))
