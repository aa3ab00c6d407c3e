"""Films and pictures of contents that are not as one would wish: holes, missing streams, nothing made yet."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobengine.errors import MalformedError, MediaError, NotFoundError
from jobengine.media.demux import Demuxer
from jobengine.media.media_element import write_attributes
from jobengine.model.element import PTS_MAX, PTS_MIN, Element, ElementKind
from jobengine.model.recipe import Result
from jobengine.ports.contents import PutElement
from tests.integration.convert.kitchen import Kitchen
from tests.integration.media.films import make, probe

pytestmark = pytest.mark.needs("ffmpeg")
Json = Any
H264 = {"codec_type": "video", "name": "h264", "width": 160, "height": 90}
AAC = {"codec_type": "audio", "name": "aac", "sample_rate": 48_000, "channels": 2}


@pytest.fixture
def film(kitchen: Kitchen, film_file: Path) -> Kitchen:
    """A kitchen with the film."""
    kitchen.bring_in("film", film_file)
    return kitchen


def frames(result: Result) -> dict[str, int]:
    """How many frames FFmpeg decodes of each kind of stream in a result."""
    assert result.file is not None
    told = (line.split(",") for line in probe(result.file, "codec_type,nb_read_frames"))
    return {kind: int(count) for kind, count in told}


@pytest.mark.parametrize(
    ("recipe", "first", "last", "pictures"),
    [
        # B-frames: the range begins and ends between key frames, in the middle of their reordering.
        ("mp4", "1.48s", "2.52s", 27),
        ("mp4", "0s", "0.04s", 2),
        ("mp4", "3.9s", "9s", 2),
        ("mpegts", "1.48s", "2.52s", 39),
    ],
)
def test_a_range_among_pictures_that_need_others(
    film: Kitchen, recipe: str, first: str, last: str, pictures: int
) -> None:
    found = frames(film.run(recipe, "film", "all", f"{first}-{last}"))

    assert found["video"] == pytest.approx(pictures, abs=2)
    assert found["audio"] > 0


def test_a_stream_with_nothing_in_the_range_is_left_out(kitchen: Kitchen, tmp_path: Path) -> None:
    silent = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=4"]
    short = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=1", "-c:a", "aac", "-c:v", "libx264"]
    kitchen.bring_in("short", make(tmp_path / "short.mp4", *silent, *short))

    assert set(frames(kitchen.run("mp4", "short", "all", "2s-3s"))) == {"video"}
    with pytest.raises(NotFoundError, match="'2s-3s' matches nothing in stream 1"):
        kitchen.run("wav", "short", "audio", "2s-3s")
    with pytest.raises(NotFoundError, match="matches nothing"):
        kitchen.run("mp4", "short", "all", "7s-8s")


def test_a_film_without_sound_is_no_sound(kitchen: Kitchen, tmp_path: Path) -> None:
    kitchen.bring_in("mute", make(tmp_path / "mute.mp4", "-f", "lavfi", "-i", "testsrc2=duration=1"))

    with pytest.raises(NotFoundError, match="no stream 'audio'"):
        kitchen.run("wav", "mute", "audio", "first-last")
    with pytest.raises(MalformedError, match="none of the streams holds audio"):
        kitchen.run("wav", "mute", "video", "first-last")
    with pytest.raises(MalformedError, match="none of the streams is 'audio'"):
        kitchen.run("mp4", "mute", "all", "first-last", streams="video,audio")


def test_elements_without_times_are_a_film_by_their_number(kitchen: Kitchen, film_file: Path) -> None:
    with Demuxer(film_file) as media:
        items = [item for item in media.elements() if item.stream_index == 1]
        codec = media.streams[1]["codecpar"]
    content = kitchen.make("counted", codec, base=(1024, 48_000))
    given = [Element(ElementKind.PACKET, None, plane_sizes=item.element.plane_sizes) for item in items]
    kitchen.store.commit(
        [
            PutElement(content.stream_number(0), element, item.planes)
            for element, item in zip(given, items, strict=True)
        ]
    )

    assert frames(kitchen.run("mp4", "counted", "0", "first-last"))["audio"] == pytest.approx(
        len(items), abs=1
    )


def test_without_a_time_base_times_mean_nothing(kitchen: Kitchen) -> None:
    kitchen.catalogue.create("odd", {"type": "format"}, [{"type": "Stream", "index": 0, "codecpar": H264}])
    number = kitchen.catalogue.get("odd").stream_number(0)
    kitchen.store.commit([PutElement(number, Element(ElementKind.PACKET, 0), [b"x"])])

    for reference in ("first-last", "0s-1s"):
        with pytest.raises(MalformedError, match="stream 0 has no time_base"):
            kitchen.run("mp4", "odd", "0", reference)


def test_a_stream_without_a_time_base_is_left_out_of_a_film_of_all(film: Kitchen) -> None:
    content = film.catalogue.get("film")
    untimed = {"type": "Stream", "index": 2, "codecpar": {"codec_type": "subtitle", "name": "subrip"}}
    film.catalogue.change(replace(content, streams=(*content.streams, untimed)), content.revision)
    film.store.commit([PutElement(content.stream_number(2), Element(ElementKind.PACKET, 0), [b"x"])])

    for reference in ("first-last", "0s-1s"):
        assert set(frames(film.run("mp4", "film", "all", reference))) == {"video", "audio"}


def test_pictures_at_the_ends_of_time(kitchen: Kitchen) -> None:
    size = {"width": 16, "height": 16, "format": "gray"}
    codec = {"codec_type": "video", "name": "rawvideo", **size}
    number = kitchen.make("ends", codec, base=(1, 25)).stream_number(0)
    members = write_attributes(size)
    frames = [Element(ElementKind.FRAME, pts, attributes=members) for pts in (PTS_MIN, PTS_MAX)]
    kitchen.store.commit([PutElement(number, frame, [bytes(256)]) for frame in frames])

    for place, pts in (("first", PTS_MIN), ("last", PTS_MAX)):
        assert kitchen.run("png", "ends", "0", place).headers == {"Beam-PTS": str(pts)}


def test_gone_payloads_come_back_from_an_equivalent(film: Kitchen) -> None:
    film.run("storeCopy", "film", "all", "first-last")
    film.drop_payloads("film")

    result = film.run("mp4", "film", "all", "1.5s-2.5s")

    assert result.headers == {}
    assert frames(result)["video"] == pytest.approx(26, abs=2)
    film.drop_payloads("film")
    assert film.run("jpeg", "film", "video", "1.8s").body


def test_gone_payloads_that_are_nowhere_are_holes_that_are_told(film: Kitchen) -> None:
    film.drop_payloads("film", 30 * 512, 30 * 512)

    result = film.run("mp4", "film", "all", "1s-3s")

    (gap,) = [gap for gap in json.loads(result.headers["Beam-Gaps"]) if gap[0] == 0]
    assert gap[1] == 30 * 512
    assert frames(result)["video"] < 50


def test_what_was_never_made_is_made_for_a_film(film: Kitchen) -> None:
    film.make("small", H264, AAC)
    film.relations.renditions.create("film", "small")

    result = film.run("mp4", "small", "all", "1s-3s")

    assert frames(result)["video"] == pytest.approx(51, abs=1)
    assert len(film.elements("small")) == 100
    film.make("other", H264)
    film.relations.renditions.create("film", "other", {"0": "video"})
    assert film.run("png", "other", "0", "1.2s").body
    assert film.run("jpeg", "other", "0", "packet_10800").body


def test_a_film_of_everything_has_everything_made(film: Kitchen) -> None:
    film.make("bare", {"codec_type": "video", "name": "h264"}, {"codec_type": "audio", "name": "mp3"})
    film.relations.renditions.create("film", "bare")

    assert frames(film.run("mp4", "bare", "all", "first-last"))["video"] == 100


def test_a_rendition_of_sound_that_says_little_of_a_rendition_that_says_little(film: Kitchen) -> None:
    film.make("first", {"codec_type": "audio", "name": "aac"}, base=(1, 48_000))
    film.make("second", {"codec_type": "audio", "name": "flac", "channels": 1, "sample_rate": 44_100})
    film.relations.renditions.create("film", "first", {"0": "audio"})
    film.relations.renditions.create("first", "second", {"0": "audio"})

    assert frames(film.run("wav", "second", "0", "1s-2s"))["audio"] > 0


def test_a_range_that_is_too_long_to_be_made_at_once_is_refused(film: Kitchen) -> None:
    film.make("fine", {"codec_type": "audio", "name": "pcm_s16le", "sample_rate": 48_000, "frame_size": 16})
    film.relations.renditions.create("film", "fine", {"0": "audio"})

    with pytest.raises(MalformedError, match="more than 10000 elements are missing there"):
        film.run("wav", "fine", "0", "0s-4s")
    assert frames(film.run("wav", "fine", "0", "0s-1s"))["audio"] > 0


def test_damaged_pictures_are_told(film: Kitchen) -> None:
    content = film.make("broken", {**H264, "width": 320, "height": 180}, base=(1, 25))
    number = content.stream_number(0)
    wrong = [Element(ElementKind.PACKET, n, n, 1, is_key=n == 0, plane_sizes=(64,)) for n in range(3)]
    film.store.commit([PutElement(number, each, [bytes(64)]) for each in wrong])

    with pytest.raises(MediaError, match="no picture here that can be decoded"):
        film.run("jpeg", "broken", "0", "0s")
