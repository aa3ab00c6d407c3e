"""WAVE files on disk: chunk by chunk, while they are written, and after their writer was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jobengine.errors import MediaError
from jobengine.media.bext import Bext
from jobengine.media.riff import measure_output
from jobengine.media.wav import WavWriter
from jobengine.media.wav_header import WavForm
from tests.integration.media.sounds import AT, constant, noise, prepare, read, run, spec
from tests.waiting import PATIENCE_S

BEXT = Bext("Noon", "jobengine", "ZZNNN", AT, 5)


def chunks(path: Path) -> dict[bytes, bytes]:
    """Every chunk of a small RIFF file, which must fill it exactly."""
    content = path.read_bytes()
    assert content[:4] in (b"RIFF", b"RF64")
    if content[:4] == b"RIFF":
        assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    found: dict[bytes, bytes] = {}
    place = 12
    while place < len(content):
        name, size = struct.unpack("<4sI", content[place : place + 8])
        if size == 0xFFFFFFFF:
            size = struct.unpack("<Q", found[b"ds64"][8:16])[0]
        found[name] = content[place + 8 : place + 8 + size]
        assert len(found[name]) == size
        place += 8 + size + size % 2
    return found


def ffprobe_samples(path: Path) -> int:
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    return int(json.loads(answer.stdout)["streams"][0]["duration_ts"])


def writer(path: Path, **form: object) -> WavWriter:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    settings = {"sample_rate": 48_000, "channels": 2, "resolution_bit": 16, "bext": BEXT, **form}
    return WavWriter(descriptor, path, WavForm(**settings))  # type: ignore[arg-type]


def blocks(samples: int, channels: int = 2) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(7).uniform(-1.1, 1.1, (samples, channels)).astype(np.float32)


def test_bext_holds_every_field_at_its_place(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 1_000)
    encoder = {
        "name": "WAVDest",
        "title": "Noon ${StartTime|HH:mm} Grüße",
        "originator": "Studio 1",
        "originatorRef": {"countryCode": "de", "organizationCode": "ABC", "serialNumber": "X1"},
    }
    path = run(prepare(tmp_path, spec(["in.wav"], encoder=encoder)))
    bext = chunks(path)[b"bext"]
    assert len(bext) == 602
    assert bext[:256] == "Noon 11:00 Grüße".encode().ljust(256, b"\0")
    assert bext[256:288] == b"Studio 1".ljust(32, b"\0")
    assert bext[288:311] == b"DEABCX10000000000110000"
    assert bext[311:320].isdigit()
    assert bext[320:338] == b"2026-12-0111:00:00"
    low, high, version = struct.unpack("<IIH", bext[338:348])
    assert (high << 32) + low == (11 * 3600) * 48_000 + 12_000
    assert version == 1
    assert bext[348:] == bytes(254)


def test_bext_is_written_without_a_title_too(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 1_000)
    bext = chunks(run(prepare(tmp_path, spec(["in.wav"]))))[b"bext"]
    assert bext[:256] == bytes(256)
    assert bext[256:265] == b"jobengine"
    assert bext[288:305] == b"ZZNNNSTUDIO100000"


@pytest.mark.parametrize("resolution", [16, 24, 32])
@pytest.mark.parametrize("limit", [0xFFFFFFFF, 5_000])
@pytest.mark.parametrize("block", [16_384, 1_024])
def test_levl_holds_the_highest_and_lowest_of_every_256(
    tmp_path: Path, resolution: int, limit: int, block: int
) -> None:
    path, sound = tmp_path / "x.wav", blocks(10_001)
    wav = writer(path, resolution_bit=resolution, limit_bytes=limit, block_samples=block)
    for start, end in ((0, 100), (100, 700), (700, 701), (701, 9_000), (9_000, 10_001)):
        for begin in range(start, end, block):
            wav.write(sound[begin : min(begin + block, end)])
    wav.close()
    found = chunks(path)
    levl = found[b"levl"]
    header = struct.unpack("<8I", levl[:32])
    assert header == (1, 2, 2, 256, 2, 40, 0xFFFFFFFF, 128)
    assert levl[32:60] == b"2026:12:01:11:00:00:250".ljust(28, b"\0")
    values = np.frombuffer(levl[120:], "<u2").reshape(40, 2, 2)
    shift = 16 if resolution == 16 else 8
    scale = 2 ** (31 - shift)
    integers = np.clip(np.rint(sound * np.float32(scale)), -scale, scale - 1).astype(np.int64)
    if resolution == 24:
        integers >>= 8
    if resolution == 32:
        integers = np.clip(np.rint(sound * np.float32(2**15)), -(2**15), 2**15 - 1).astype(np.int64)
    parts = [integers[n : n + 256] for n in range(0, 10_001, 256)]
    high = [part.max(axis=0).clip(min=0) for part in parts]
    low = [(-part.min(axis=0)).clip(min=0) for part in parts]
    assert (values[:, :, 0] == high).all()
    assert (values[:, :, 1] == low).all()
    assert (b"ds64" in found) == (limit == 5_000)
    assert soundfile.info(path).frames == 10_001


@pytest.mark.needs("ffmpeg", "sox")
@pytest.mark.parametrize("resolution", [16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("limit", [0xFFFFFFFF, 5_000])
def test_three_readers_agree_on_the_length(
    tmp_path: Path, resolution: int, channels: int, limit: int
) -> None:
    path, sound = tmp_path / "x.wav", blocks(4_001, channels)
    wav = writer(path, resolution_bit=resolution, channels=channels, limit_bytes=limit)
    wav.write(sound)
    wav.close()
    assert soundfile.info(path).frames == 4_001
    assert ffprobe_samples(path) == 4_001
    sox = subprocess.run(["soxi", "-s", str(path)], check=True, capture_output=True, timeout=PATIENCE_S)
    assert int(sox.stdout) == 4_001
    scale = 2 ** (resolution - 1) if resolution < 32 else 2**31
    expected = np.clip(np.rint(sound.astype(np.float64) * scale), -scale, scale - 1) * (2**31 / scale)
    if resolution < 32:
        assert (read(path) == expected).all()


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("resolution", [16, 24, 32])
def test_file_is_valid_after_every_block(tmp_path: Path, resolution: int) -> None:
    path, sound = tmp_path / "x.wav", blocks(3_000)
    wav = writer(path, resolution_bit=resolution, limit_bytes=20_000)
    for start in range(0, 3_000, 500):
        assert soundfile.info(path).frames == start
        wav.write(sound[start : start + 500])
        assert soundfile.info(path).frames == start + 500
    assert ffprobe_samples(path) == 3_000
    wav.close()


def test_more_than_four_gibibytes_become_rf64(tmp_path: Path) -> None:
    path, sound = tmp_path / "x.wav", blocks(1_000)
    wav = writer(path, resolution_bit=24, levl=False)
    wav.samples = far = 0x1_0000_0000 // 6 + 12_345
    wav.write(sound)
    wav.close()
    assert path.stat().st_size > 0x1_0000_0000
    info = soundfile.info(path)
    assert (info.format, info.frames) == ("RF64", far + 1_000)
    with soundfile.SoundFile(path) as reader:
        reader.seek(far)
        end = reader.read(dtype="int32")
    assert (end >> 8 == np.clip(np.rint(sound * np.float32(2**23)), -(2**23), 2**23 - 1)).all()
    assert measure_output(path) == far + 1_000


def test_switched_off_rf64_ends_at_the_limit_with_a_sentence(tmp_path: Path) -> None:
    wav = writer(tmp_path / "x.wav", rf64=False, limit_bytes=20_000)
    wav.write(blocks(2_000))
    with pytest.raises(MediaError, match=r"reached 4 GB and writeRF64 is false; the 2000 samples"):
        wav.write(blocks(5_000))
    wav.close()
    assert soundfile.info(tmp_path / "x.wav").frames == 2_000


def test_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 100)
    (tmp_path / "out.wav").write_text("mine")
    (tmp_path / "out_1.wav").write_text("mine too")
    path = run(prepare(tmp_path, spec(["in.wav"])))
    assert path == tmp_path / "out_2.wav"
    assert (tmp_path / "out.wav").read_text() == "mine"


def test_folders_and_start_time_are_made_at_the_first_running(tmp_path: Path) -> None:
    noise(tmp_path / "in.wav", 100)
    pipe = prepare(tmp_path, spec(["in.wav"], file="a/${StartTime|yyyy}/%TIMESTAMP%.wav"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.wav"]
    assert run(pipe) == tmp_path / "a" / "2026" / "2026-12-01_11-00-00.250.wav"


def test_known_places_are_kept_in_the_mask(tmp_path: Path) -> None:
    constant(tmp_path / "in.wav", 100, channels=1)
    stereo = chunks(run(prepare(tmp_path, spec(["in.wav"], format={"channels": 2, "resolution": 24}))))
    assert struct.unpack("<HHIIHHHHI", stereo[b"fmt "][:24]) == (
        *(0xFFFE, 2, 48_000, 288_000, 6, 24),
        *(22, 24, 3),
    )


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from tests.integration.media.test_wav_file import writer
wav = writer(Path(sys.argv[1]), resolution_bit=24)
for number in range(40):
    wav.write(np.full((1000, 2), number / 64, np.float32))
print("written", flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.needs("ffmpeg")
def test_file_of_a_killed_writer_holds_all_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=PATIENCE_S, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert soundfile.info(path).frames == 40_000
    assert ffprobe_samples(path) == 40_000
    assert measure_output(path) == 40_000


@pytest.mark.parametrize("limit", [0xFFFFFFFF, 5_000])
@pytest.mark.parametrize(("torn_bytes", "kept"), [(0, 2_000), (-7, 1_998), (25, 2_004), (-8_000, 666)])
def test_measuring_mends_what_a_torn_write_left(
    tmp_path: Path, limit: int, torn_bytes: int, kept: int
) -> None:
    path = tmp_path / "x.wav"
    wav = writer(path, resolution_bit=24, limit_bytes=limit)
    wav.write(blocks(2_000))
    torn = tmp_path / "torn.wav"
    shutil.copy(path, torn)
    wav.close()
    size = torn.stat().st_size
    with torn.open("r+b") as file:
        file.truncate(size + torn_bytes)
    assert measure_output(torn) == kept
    assert measure_output(torn) == kept
    assert soundfile.info(torn).frames == kept
    assert len(chunks(torn)[b"data"]) == kept * 6


def test_finished_file_is_measured_and_left_alone(tmp_path: Path) -> None:
    wav = writer(tmp_path / "x.wav", channels=1, resolution_bit=24)
    wav.write(blocks(1_001, 1))
    wav.close()
    before = (tmp_path / "x.wav").read_bytes()
    assert measure_output(tmp_path / "x.wav") == 1_001
    assert (tmp_path / "x.wav").read_bytes() == before


def test_measuring_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_text("no sound at all")
    with pytest.raises(MediaError, match="is not a WAVE file"):
        measure_output(tmp_path / "x.wav")
