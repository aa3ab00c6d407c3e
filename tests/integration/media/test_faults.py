"""Broken sources, full disks, links out of the roots: a sentence, and nothing lost that was written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jobengine.errors import DiskFull, MediaError
from tests.integration.media.sounds import AT, noise, prepare, read, run, spec
from tests.waiting import PATIENCE_S


def make_flac(folder: Path) -> bytes:
    noise(folder / "in.wav", 200_000)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "in.wav", "in.flac"], cwd=folder, check=True, timeout=PATIENCE_S
    )
    return (folder / "in.flac").read_bytes()


def refusal(folder: Path, name: str) -> str:
    with pytest.raises(MediaError) as caught:
        prepare(folder, spec([name]))
    return caught.value.detail


def test_missing_source(tmp_path: Path) -> None:
    assert refusal(tmp_path, "none.wav") == f"none.wav does not exist ({tmp_path}/none.wav)"


def test_folder_as_source(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert refusal(tmp_path, "folder") == "folder is a folder"


def test_empty_source(tmp_path: Path) -> None:
    (tmp_path / "in.wav").touch()
    assert refusal(tmp_path, "in.wav") == "in.wav is empty"


def test_source_that_is_no_media(tmp_path: Path) -> None:
    (tmp_path / "in.mp3").write_bytes(bytes(range(256)) * 9)
    assert refusal(tmp_path, "in.mp3") == "in.mp3 is damaged or not a media file"


def test_truncated_wave_is_refused_with_both_lengths(tmp_path: Path) -> None:
    path = noise(tmp_path / "in.wav", 10_000)
    os.truncate(path, 44 + 4 * 3_000)
    expected = "in.wav is truncated: its header promises 10000 samples, 3000 are there"
    assert refusal(tmp_path, "in.wav") == expected


def test_wave_without_samples(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 0)
    assert "no sound that can be decoded" in refusal(tmp_path, "in.wav")


@pytest.mark.needs("ffmpeg")
def test_source_without_sound(tmp_path: Path) -> None:
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=0.2", "in.mkv"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=PATIENCE_S)
    assert refusal(tmp_path, "in.mkv") == "in.mkv has no sound in it"


@pytest.mark.needs("ffmpeg")
def test_damaged_packets_are_passed_over_and_counted(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 200_000)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "in.wav", "in.m4a"], cwd=tmp_path, check=True, timeout=PATIENCE_S
    )
    content = bytearray((tmp_path / "in.m4a").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2_000] = b"\xff" * 2_000
    (tmp_path / "in.m4a").write_bytes(content)
    pipe = prepare(tmp_path, spec(["in.m4a"]))
    out = read(run(pipe))
    assert 0 < pipe.drops < 20
    assert 150_000 < len(out) < 200_000


@pytest.mark.needs("ffmpeg")
def test_flac_that_ends_early_gives_what_is_readable(tmp_path: Path) -> None:
    content = make_flac(tmp_path)
    (tmp_path / "in.flac").write_bytes(content[: len(content) // 2])
    pipe = prepare(tmp_path, spec(["in.flac"]))
    pipe.start(AT)
    with pytest.raises(MediaError, match=r"in\.flac is truncated: 200000 samples were promised, \d+ came"):
        pipe.advance(1 << 20)
    pipe.close()
    out = read(pipe.outputs[0].path)
    assert 80_000 < len(out) == pipe.position < 120_000
    assert (out == read(tmp_path / "in.wav")[: len(out)]).all()


def test_link_out_of_the_roots_is_refused_as_source(tmp_path: Path) -> None:
    media, outside = tmp_path / "media", tmp_path / "outside"
    media.mkdir()
    outside.mkdir()
    noise(outside / "in.wav", 100)
    (media / "in.wav").symlink_to(outside / "in.wav")
    assert "leads out of the allowed folders through a link" in refusal(media, "in.wav")


@pytest.mark.parametrize("when", ["before", "between"])
def test_link_out_of_the_roots_is_refused_as_target(tmp_path: Path, when: str) -> None:
    media, outside = tmp_path / "media", tmp_path / "outside"
    media.mkdir()
    outside.mkdir()
    noise(media / "in.wav", 100)
    if when == "before":
        (media / "sub").symlink_to(outside)
        with pytest.raises(MediaError, match="leads out of the allowed folders"):
            prepare(media, spec(["in.wav"], file="sub/deep/out.wav"))
    else:
        pipe = prepare(media, spec(["in.wav"], file="sub/deep/out.wav"))
        (media / "sub").symlink_to(outside)
        with pytest.raises(MediaError, match="leads out of the allowed folders"):
            pipe.start(AT)
        pipe.close()
    assert list(outside.iterdir()) == []


def test_link_in_place_of_the_target_is_not_followed(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 100)
    (tmp_path / "out.wav").symlink_to("/nonexistent/elsewhere.wav")
    assert run(prepare(tmp_path, spec(["in.wav"]))) == tmp_path / "out_1.wav"


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nin.wav\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile in.wav\n",
    ],
)
def test_playlists_open_no_other_file(tmp_path: Path, playlist: str) -> None:
    noise(tmp_path / "in.wav", 48_000)
    (tmp_path / "list.m3u8").write_text(playlist)
    assert refusal(tmp_path, "list.m3u8") == "list.m3u8 is not in a form that may be read here"


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """A real fault of the system: writing beyond the limit fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("resolution", [16, 24])
def test_full_disk_leaves_a_valid_file_of_whole_frames(tmp_path: Path, resolution: int) -> None:
    noise(tmp_path / "in.wav", 200_000)
    pipe = prepare(tmp_path, spec(["in.wav"], format={"resolution": resolution}))
    with file_size_limit(300_001):
        pipe.start(AT)
        with pytest.raises(DiskFull, match=r"no space is left for .*out.wav; the \d+ samples") as caught:
            pipe.advance(1 << 20)
        pipe.close()
    kept = caught.value.facts["samples"]
    assert kept > 30_000
    out = read(tmp_path / "out.wav")
    assert len(out) == kept == pipe.outputs[0].samples
    assert (out == read(tmp_path / "in.wav")[:kept]).all()


def test_full_disk_while_closing_drops_the_waveform_only(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 10_000)
    pipe = prepare(tmp_path, spec(["in.wav"]))
    pipe.start(AT)
    pipe.advance(10_000)
    with file_size_limit((tmp_path / "out.wav").stat().st_size), pytest.raises(DiskFull):
        pipe.close()
    assert (read(tmp_path / "out.wav") == read(tmp_path / "in.wav")).all()


def test_full_disk_under_a_flac_file_says_so(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 200_000)
    pipe = prepare(tmp_path, spec(["in.wav"], encoder={"name": "FLACDest"}, file="out.flac"))
    with file_size_limit(300_000):
        pipe.start(AT)
        with pytest.raises(DiskFull, match=r"no space is left for .*out\.flac"):
            pipe.advance(1 << 20)
        with pytest.raises(DiskFull):
            pipe.close()
    assert len(soundfile.read(tmp_path / "out.flac", frames=40_000)[0]) == 40_000


FULL_DISK = """
import sys
from pathlib import Path
from jobengine.errors import DiskFull
from tests.integration.media.sounds import AT, noise, prepare, read, spec
folder = Path(sys.argv[1])
(folder / "disk").mkdir()
import subprocess
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", folder / "disk"], check=True)
noise(folder / "in.wav", 200_000)
pipe = prepare(folder, spec(["in.wav"], file="disk/out.wav"))
pipe.start(AT)
try:
    pipe.advance(1 << 20)
except DiskFull:
    pipe.close()
    out = read(folder / "disk" / "out.wav")
    assert (out == read(folder / "in.wav")[: len(out)]).all()
    print("kept", len(out), pipe.outputs[0].samples)
"""


def test_full_filesystem_leaves_a_valid_file(tmp_path: Path) -> None:
    unshare = ["unshare", "--map-root-user", "--mount"]
    try:
        subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", tmp_path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a user namespace that may mount")
    ended = subprocess.run(
        [*unshare, sys.executable, "-c", FULL_DISK, tmp_path],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stderr
    word, readable, reported = ended.stdout.split()
    assert word == "kept"
    assert int(readable) == int(reported) > 50_000


def test_second_close_is_quiet_and_blocks_are_float(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 100)
    pipe = prepare(tmp_path, spec(["in.wav"], format={"resolution": 32}))
    path = run(pipe)
    pipe.close()
    assert soundfile.info(path).subtype == "FLOAT"
    assert np.isfinite(soundfile.read(path)[0]).all()
