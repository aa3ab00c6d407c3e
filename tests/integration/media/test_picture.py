"""Pictures out of films."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from jobengine.errors import MediaError
from jobengine.media.demux import Demuxer
from jobengine.media.media_element import MediaElement, write_attributes
from jobengine.media.picture import Picture, PictureForm, picture_at
from jobengine.model.element import Element, ElementKind
from tests.integration.media.films import film

pytestmark = pytest.mark.needs("ffmpeg")
_TICKS = 512


def _seen(picture: Picture) -> np.ndarray:
    with av.open(io.BytesIO(picture.data), "r") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)


def _film(tmp_path: Path) -> tuple[dict[str, object], list[MediaElement], list[np.ndarray]]:
    path = film(tmp_path / "film.mp4")
    with Demuxer(path) as demuxer:
        elements = [item for item in demuxer.elements() if item.stream_index == 0]
    with av.open(str(path)) as container:
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    return demuxer.streams[0], elements, shown


@pytest.mark.parametrize("number", [0, 1, 38, 99])
def test_it_is_the_picture_of_that_moment(tmp_path: Path, number: int) -> None:
    stream, elements, shown = _film(tmp_path)
    picture = picture_at(stream, elements, number * _TICKS, PictureForm("png"))
    assert picture.pts == number * _TICKS
    assert np.abs(_seen(picture) - shown[number]).max() <= 2


def test_between_two_pictures_the_earlier_is_seen(tmp_path: Path) -> None:
    stream, elements, _ = _film(tmp_path)
    assert picture_at(stream, elements, 10 * _TICKS + 5, PictureForm()).pts == 10 * _TICKS
    assert picture_at(stream, elements, 10**12, PictureForm()).pts == 99 * _TICKS


def test_no_more_is_read_than_needed(tmp_path: Path) -> None:
    stream, elements, _ = _film(tmp_path)
    taken: list[MediaElement] = []

    def reading() -> Iterator[MediaElement]:
        for item in elements:
            taken.append(item)
            yield item

    picture_at(stream, reading(), 0, PictureForm())
    assert len(taken) < 10


def test_size_and_quality_are_as_asked(tmp_path: Path) -> None:
    stream, elements, _ = _film(tmp_path)
    fine = picture_at(stream, elements, 0, PictureForm(width=160, quality=95))
    coarse = picture_at(stream, elements, 0, PictureForm(width=160, quality=5))
    assert (fine.media_type, fine.width, fine.height) == ("image/jpeg", 160, 90)
    assert len(coarse.data) < len(fine.data)
    assert _seen(fine).shape == (90, 160, 3)
    assert picture_at(stream, elements, 0, PictureForm(height=45)).width == 80
    assert _seen(picture_at(stream, elements, 0, PictureForm("png", 50, 60))).shape == (60, 50, 3)


def test_a_raw_frame_is_a_picture_whatever_its_padding() -> None:
    luma = np.zeros((4, 32), np.uint8)
    luma[:, :8] = 200
    chroma = np.full((2, 16), 128, np.uint8)
    members = {"width": 8, "height": 4, "format": "yuv420p", "linesize": [32, 16, 16]}
    planes = (luma.tobytes() + b"more", chroma.tobytes(), chroma.tobytes())
    frame = MediaElement(0, Element(ElementKind.FRAME, 7, attributes=write_attributes(members)), planes)
    stream = {"index": 0, "time_base": [1, 25], "codecpar": {"codec_type": "video", "name": "rawvideo"}}
    picture = picture_at(stream, [frame], 7, PictureForm("png"))
    assert _seen(picture).shape == (4, 8, 3)
    assert _seen(picture).min() > 190


def test_a_frame_that_lacks_a_plane_or_bytes_is_refused() -> None:
    members = {"width": 8, "height": 4, "format": "yuv420p", "linesize": [8, 4, 4]}
    attributes = write_attributes(members)
    stream = {"index": 0, "time_base": [1, 25], "codecpar": {"codec_type": "video"}}
    for planes, reason in (
        ((bytes(32), bytes(8)), "has 3 planes, 2 are there"),
        ((bytes(32), bytes(8), bytes(7)), "plane 2 of a frame has 7 bytes, 8 are needed"),
    ):
        frame = MediaElement(0, Element(ElementKind.FRAME, 0, attributes=attributes), planes)
        with pytest.raises(MediaError, match=reason):
            picture_at(stream, [frame], 0, PictureForm())


def test_impossible_pictures_are_refused(tmp_path: Path) -> None:
    stream, elements, _ = _film(tmp_path)
    for form, reason in (
        (PictureForm(width=0), "width 0 is out of range"),
        (PictureForm(height=20_000), "height 20000 is out of range"),
        (PictureForm(quality=101), "quality 101 is out of range"),
    ):
        with pytest.raises(MediaError, match=reason):
            picture_at(stream, elements, 0, form)
    with pytest.raises(MediaError, match="no picture here that can be decoded"):
        picture_at(stream, [], 0, PictureForm())
    sound = {"index": 1, "time_base": [1, 48000], "codecpar": {"codec_type": "audio", "name": "aac"}}
    with pytest.raises(MediaError, match="stream 1 holds no pictures"):
        picture_at(sound, elements, 0, PictureForm())
