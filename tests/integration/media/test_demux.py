"""Media files taken apart."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from jobengine.errors import MediaError
from jobengine.media.demux import Demuxer
from jobengine.media.media_element import read_attributes
from tests.integration.media.films import digests, film, make
from tests.needs import film_path, media_folder

pytestmark = pytest.mark.needs("ffmpeg")


def _digests(path: Path) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    with Demuxer(path) as demuxer:
        for item in demuxer.elements():
            found.setdefault(item.stream_index, []).append(hashlib.md5(item.planes[0]).hexdigest())
        assert demuxer.faults == []
    return found


@pytest.mark.parametrize("ending", ["mp4", "ts", "mkv"])
def test_every_packet_comes_out_bit_by_bit(tmp_path: Path, ending: str) -> None:
    path = film(tmp_path / f"film.{ending}")
    assert _digests(path) == digests(path)


@pytest.mark.needs("media")
@pytest.mark.parametrize("name", ["lena.flac", "lena.mp3", "lena.opus", "lena.aac", "lena.m4a"])
def test_sounds_of_any_format_come_out_bit_by_bit(name: str) -> None:
    path = media_folder() / name
    assert _digests(path) == digests(path)


@pytest.mark.needs("film")
def test_the_documents_tell_what_the_file_says() -> None:
    path = film_path()
    assert path is not None
    with Demuxer(path) as demuxer:
        video, audio = demuxer.streams
    assert demuxer.format["iformat"].startswith("mov,mp4")
    assert demuxer.format["duration"] == 5_312_000
    assert (video["time_base"], video["nb_frames"]) == ([1, 12800], 132)
    assert (
        video["codecpar"].items() >= {"name": "h264", "width": 1280, "height": 720, "profile": "Main"}.items()
    )
    assert bytes(video["codecpar"]["extradata"]["data"])[:4] == b"\x01\x4d\x40\x1f"
    assert audio["codecpar"].items() >= {"name": "aac", "channels": 6, "sample_rate": 48000}.items()


def test_pictures_that_show_later_than_they_come_keep_both_times(tmp_path: Path) -> None:
    with Demuxer(film(tmp_path / "film.mp4")) as demuxer:
        pictures = [item.element for item in demuxer.elements() if item.stream_index == 0]
    decoding = [element.dts or 0 for element in pictures]
    showing = [element.pts or 0 for element in pictures]
    assert decoding == sorted(decoding)
    assert showing != sorted(showing)
    assert [element.is_key for element in pictures].count(True) == 4
    assert all(element.duration for element in pictures)


@pytest.mark.needs("media")
def test_what_a_codec_passes_over_is_kept_beside_the_packet() -> None:
    with Demuxer(media_folder() / "lena.opus") as demuxer:
        last = list(demuxer.elements())[-1]
    assert len(read_attributes(last.element)["side_data"]["skip_samples"]) == 10


def test_a_cover_and_subtitles_are_streams_too(tmp_path: Path) -> None:
    cover = make(tmp_path / "cover.png", "-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1")
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:01,000 --> 00:00:02,000\nGood morning\n", encoding="utf-8")
    path = make(
        tmp_path / "film.mp4",
        *("-f", "lavfi", "-i", "sine=duration=3", "-i", str(cover), "-i", str(words)),
        *("-map", "0", "-map", "1", "-map", "2", "-c:a", "aac", "-c:v", "png", "-c:s", "mov_text"),
        *("-disposition:v", "attached_pic"),
    )
    with Demuxer(path) as demuxer:
        kinds = {stream["index"]: stream["codecpar"]["codec_type"] for stream in demuxer.streams}
        found = list(demuxer.elements())
    assert sorted(kinds.values()) == ["audio", "subtitle", "video"]
    picture = next(stream for stream in demuxer.streams if stream["codecpar"]["codec_type"] == "video")
    assert picture["disposition"] == {"attached_pic": True}
    payloads = [bytes(item.planes[0]) for item in found if item.stream_index == picture["index"]]
    assert payloads == [cover.read_bytes()] or payloads[0].startswith(b"\x89PNG")
    assert any(b"Good morning" in bytes(item.planes[0]) for item in found)


def test_a_file_that_breaks_off_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    whole = film(tmp_path / "film.mp4", "-movflags", "faststart")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole.read_bytes()[:-60_000])
    with Demuxer(whole) as demuxer:
        all_of_it = [bytes(item.planes[0]) for item in demuxer.elements()]
    with Demuxer(broken) as demuxer:
        some_of_it = [bytes(item.planes[0]) for item in demuxer.elements()]
        faults = demuxer.faults
    assert some_of_it[:-1] == all_of_it[: len(some_of_it) - 1]
    assert 0 < len(some_of_it) < len(all_of_it)
    assert "promised 100 packets" in " ".join(fault.reason for fault in faults)
    assert all(0 < fault.position_bytes <= broken.stat().st_size for fault in faults)


def test_damage_in_the_middle_is_told_and_what_follows_is_read(tmp_path: Path) -> None:
    data = bytearray(film(tmp_path / "film.ts").read_bytes())
    data[100_000:120_000] = bytes(20_000)
    broken = tmp_path / "broken.ts"
    broken.write_bytes(data)
    with Demuxer(broken) as demuxer:
        last = list(demuxer.elements())[-1]
        assert demuxer.faults
    assert last.element.pts is not None
    assert demuxer.position_bytes > 120_000


@pytest.mark.parametrize("ending", ["mkv", "wav"])
def test_a_missing_end_is_told(tmp_path: Path, ending: str) -> None:
    whole = film(tmp_path / "film.mkv")
    if ending == "wav":
        whole = make(tmp_path / "sound.wav", "-f", "lavfi", "-i", "sine=duration=4")
    broken = tmp_path / f"broken.{ending}"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with Demuxer(broken) as demuxer:
        assert list(demuxer.elements())
        assert demuxer.faults


@pytest.mark.parametrize("missing_bytes", [100, 50_000])
def test_a_transport_stream_that_was_cut_says_so(tmp_path: Path, missing_bytes: int) -> None:
    broken = tmp_path / "broken.ts"
    broken.write_bytes(film(tmp_path / "film.ts").read_bytes()[:-missing_bytes])
    with Demuxer(broken) as demuxer:
        assert list(demuxer.elements())
        assert demuxer.faults


def test_what_is_no_media_file_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a film", encoding="utf-8")
    with pytest.raises(MediaError, match="damaged or not a media file"):
        Demuxer(text)
    with pytest.raises(MediaError, match="does not exist"):
        Demuxer(tmp_path / "missing.mp4")


def test_a_playlist_that_names_other_files_is_refused(tmp_path: Path) -> None:
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:10,\n/etc/passwd\n", encoding="utf-8")
    with pytest.raises(MediaError):
        Demuxer(playlist)
