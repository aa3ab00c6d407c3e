"""Media files put together, whole and in parts."""

from __future__ import annotations

import errno
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from jobengine.errors import DiskFull, MediaError
from jobengine.media.demux import Demuxer
from jobengine.media.media_element import MediaElement, write_attributes
from jobengine.media.mux import CONTAINERS, CopiedTrack, Muxed, Muxer
from jobengine.media.ordering import in_decode_order
from jobengine.media.window import Window
from jobengine.model.element import Element, ElementKind
from tests.integration.media.films import digests, film, make, packets, probe
from tests.integration.media.sounds import noise
from tests.needs import film_path, media_folder

pytestmark = pytest.mark.needs("ffmpeg")


def _taken_apart(path: Path) -> tuple[list[dict[str, object]], list[MediaElement]]:
    with Demuxer(path) as demuxer:
        return demuxer.streams, list(demuxer.elements())


def _again(path: Path, target: Path, window: Window | None = None) -> Muxed:
    streams, elements = _taken_apart(path)
    muxer = Muxer(target, CONTAINERS[target.suffix[1:]], streams, window)
    for item in in_decode_order(elements):
        muxer.write(item)
    return muxer.close()


def _muxed(
    container: str,
    streams: Sequence[Mapping[str, object]],
    elements: Iterable[MediaElement],
    window: Window | None = None,
    raw: Collection[int] = (),
) -> tuple[bytes, Muxed]:
    target = io.BytesIO()
    muxer = Muxer(target, container, streams, window, raw=raw)
    for item in in_decode_order(elements):
        muxer.write(item)
    muxed = muxer.close()
    return target.getvalue(), muxed


@pytest.mark.parametrize("ending", ["mp4", "mov", "ts"])
def test_what_was_taken_apart_is_put_together_bit_by_bit(tmp_path: Path, ending: str) -> None:
    path = film(tmp_path / f"film.{ending}")
    muxed = _again(path, tmp_path / f"again.{ending}")
    assert muxed == Muxed((0, 1), (), {}, True)
    assert packets(tmp_path / f"again.{ending}") == packets(path)


def _distances(path: Path) -> dict[int, list[tuple[int, int, str]]]:
    """Packets with their times counted from the first moment that anything in the file shows or sounds."""
    found = packets(path)
    first = min(int(pts) for rows in found.values() for _, pts, _ in rows)
    return {
        index: [(int(dts) - first, int(pts) - first, digest) for dts, pts, digest in rows]
        for index, rows in found.items()
    }


@pytest.mark.parametrize("start_s", ["0", "5"])
def test_matroska_which_has_no_time_before_zero_keeps_all_distances(tmp_path: Path, start_s: str) -> None:
    path = film(tmp_path / "film.mkv", "-output_ts_offset", start_s)
    assert _again(path, tmp_path / "again.mkv") == Muxed((0, 1), (), {}, True)
    assert _distances(tmp_path / "again.mkv") == _distances(path)


@pytest.mark.needs("film")
def test_a_film_from_elsewhere_is_put_together_bit_by_bit(tmp_path: Path) -> None:
    path = film_path()
    assert path is not None
    _again(path, tmp_path / "again.mp4")
    assert packets(tmp_path / "again.mp4") == packets(path)


@pytest.mark.needs("media")
@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "opus", "ogg", "webm", "m4a", "aac"])
def test_sounds_are_put_together_bit_by_bit(tmp_path: Path, ending: str) -> None:
    path = media_folder() / f"lena.{ending}"
    _again(path, tmp_path / f"again.{ending}")
    assert digests(tmp_path / f"again.{ending}") == digests(path)


def test_another_container_gets_the_same_sound_and_pictures(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    muxed = _again(path, tmp_path / "film.mkv")
    assert muxed.copied == (0, 1)
    assert digests(tmp_path / "film.mkv") == digests(path)


def test_elements_ordered_by_pts_make_the_same_file(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    streams, elements = _taken_apart(path)
    by_pts = sorted(elements, key=lambda item: (item.element.pts, item.stream_index))
    target = tmp_path / "again.mp4"
    target.write_bytes(_muxed("mp4", streams, by_pts)[0])
    assert packets(target) == packets(path)


def test_a_range_of_an_mp4_shows_exactly_its_pictures(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    muxed = _again(path, tmp_path / "cut.mp4", Window(Fraction("1.4"), Fraction("2.6")))
    assert muxed.is_exact
    with av.open(str(tmp_path / "cut.mp4")) as cut, av.open(str(path)) as whole:
        shown = [frame.to_ndarray(format="gray") for frame in cut.decode(video=0)]
        wanted = [frame.to_ndarray(format="gray") for frame in whole.decode(video=0)][35:65]
    assert len(shown) in range(30, 34)
    np.testing.assert_array_equal(shown[:30], wanted)


def test_a_range_of_an_mp4_ends_exactly_with_its_sound(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    _again(path, tmp_path / "cut.mp4", Window(Fraction("1.4"), Fraction("2.6")))

    assert probe(tmp_path / "cut.mp4", "codec_type,duration")[1] == "audio,1.200000"


def test_a_range_without_edit_list_begins_at_the_key_frame_and_says_so(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    streams, elements = _taken_apart(path)
    from_key = [item for item in elements if item.stream_index == 1 or (item.element.pts or 0) >= 12_800]
    data, muxed = _muxed("mpegts", streams, from_key, Window(Fraction("1.4"), Fraction(2)))
    (tmp_path / "cut.ts").write_bytes(data)
    assert not muxed.is_exact
    assert "h264,25" in probe(tmp_path / "cut.ts", "codec_name,nb_read_frames")


def test_a_range_of_sound_is_cut_to_the_sample(tmp_path: Path) -> None:
    path = noise(tmp_path / "noise.wav", 96_000)
    muxed = _again(path, tmp_path / "cut.wav", Window(Fraction(12_345, 48_000), Fraction(54_321, 48_000)))
    assert muxed.is_exact
    whole, _ = soundfile.read(path, dtype="int16")
    cut, _ = soundfile.read(tmp_path / "cut.wav", dtype="int16")
    np.testing.assert_array_equal(cut, whole[12_345:54_321])


def test_a_hole_in_the_sound_becomes_silence(tmp_path: Path) -> None:
    streams, elements = _taken_apart(noise(tmp_path / "noise.wav", 96_000))
    there = [item for item in elements if not 10_000 < (item.element.pts or 0) < 50_000]
    data, _ = _muxed("wav", streams, there, Window(Fraction(0), Fraction(2)))
    (tmp_path / "holed.wav").write_bytes(data)
    whole, _ = soundfile.read(tmp_path / "noise.wav", dtype="int16")
    holed, _ = soundfile.read(tmp_path / "holed.wav", dtype="int16")
    assert len(holed) == 96_000
    is_silent = ~holed.any(axis=1)
    np.testing.assert_array_equal(holed[~is_silent], whole[~is_silent])
    assert 30_000 < is_silent.sum() < 50_000


def test_what_a_container_does_not_take_is_encoded_anew(tmp_path: Path) -> None:
    path = make(
        tmp_path / "old.avi",
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=1"),
        *("-f", "lavfi", "-i", "sine=sample_rate=48000:duration=1", "-c:v", "huffyuv", "-c:a", "adpcm_ms"),
    )
    muxed = _again(path, tmp_path / "new.mp4")
    assert (muxed.copied, muxed.encoded) == ((), (0, 1))
    assert probe(tmp_path / "new.mp4", "codec_name,nb_read_frames")[0] == "h264,25"


def test_raw_pictures_become_a_film(tmp_path: Path) -> None:
    stream = {
        "type": "Stream",
        "index": 0,
        "time_base": [1, 25],
        "codecpar": {"codec_type": "video", "name": "rawvideo", "width": 64, "height": 32, "format": "gray"},
    }
    members = {"width": 64, "height": 32, "format": "gray", "linesize": [80]}
    frames = [
        MediaElement(
            0,
            Element(ElementKind.FRAME, pts, attributes=write_attributes(members)),
            (bytes([pts * 20]) * 80 * 32,),
        )
        for pts in range(10)
    ]
    data, muxed = _muxed("mp4", [stream], frames, raw={0})
    (tmp_path / "grey.mp4").write_bytes(data)
    assert muxed.encoded == (0,)
    assert probe(tmp_path / "grey.mp4", "codec_name,nb_read_frames") == ["h264,10"]


def test_what_has_no_place_is_left_out_and_named(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    muxed = _again(path, tmp_path / "sound.wav")
    assert muxed.left_out == {0: "stream 0 (video, h264) has no place in wav"}
    assert muxed.encoded == (1,)


def test_a_container_of_one_stream_gets_the_first_that_fits(tmp_path: Path) -> None:
    sines = ["-f", "lavfi", "-i", "sine=duration=1"] * 2
    path = make(tmp_path / "two.mka", *sines, "-map", "0", "-map", "1", "-c:a", "flac")

    muxed = _again(path, tmp_path / "one.flac")

    assert muxed.copied == (0,)
    assert muxed.left_out == {1: "stream 1 (audio, flac): flac holds one stream"}


def test_a_container_that_takes_nothing_is_refused(tmp_path: Path) -> None:
    streams, _ = _taken_apart(make(tmp_path / "grey.mkv", "-f", "lavfi", "-i", "color=size=64x64", "-t", "1"))
    with pytest.raises(MediaError, match="nothing can be put into wav: stream 0"):
        Muxer(tmp_path / "out.wav", "wav", streams)
    with pytest.raises(MediaError, match="is not a container that can be written here"):
        Muxer(tmp_path / "out.xyz", "xyz", streams)


def test_a_stream_without_time_base_is_refused(tmp_path: Path) -> None:
    stream = {"index": 3, "codecpar": {"codec_type": "audio", "name": "aac", "sample_rate": 48000}}
    with pytest.raises(MediaError, match="stream 3 has no time_base"):
        Muxer(tmp_path / "out.mp4", "mp4", [stream])


class _Disk(io.BytesIO):
    """A file on a disk that ``is_full`` from some moment on."""

    is_full = False

    def write(self, data: Any, /) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "no space is left")
        return super().write(data)


PCM = {"codec_type": "audio", "name": "pcm_s16le", "format": "s16", "sample_rate": 48000, "channels": 2}


@pytest.fixture
def disk() -> _Disk:
    return _Disk()


@pytest.fixture
def begun(disk: _Disk) -> Muxer:
    """A file of sound on ``disk`` that has begun."""
    muxer = Muxer(disk, "wav", [{"index": 0, "time_base": [1, 48000], "codecpar": PCM}])
    muxer.write(MediaElement(0, Element(ElementKind.PACKET, 0, duration=10), [bytes(40)]))
    return muxer


def test_a_file_that_can_not_be_ended_is_let_go(
    begun: Muxer, disk: _Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(track: CopiedTrack) -> None:
        raise MediaError("the encoder fails")

    monkeypatch.setattr(CopiedTrack, "finish", fail)
    with pytest.raises(MediaError, match="the encoder fails"):
        begun.close()

    left = disk.getvalue()
    begun.abandon()
    assert disk.getvalue() == left
    assert left[4:8] == (len(left) - 8).to_bytes(4, "little"), "its header says how long it is"


def test_a_full_disk_is_told_once(begun: Muxer, disk: _Disk) -> None:
    disk.is_full = True

    begun.abandon()

    with pytest.raises(DiskFull):
        Muxer(disk, "wav", [{"index": 0, "time_base": [1, 48000], "codecpar": PCM}]).close()
