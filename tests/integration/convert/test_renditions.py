"""Renditions are made of their source when they are asked for: pictures, runs of pictures, sound."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobengine.contents.relations.making import Making
from jobengine.errors import MediaError, NotFoundError
from jobengine.model.element import PayloadState
from jobengine.testing.clock import ManualClock
from tests.integration.convert.kitchen import Kitchen

pytestmark = pytest.mark.needs("ffmpeg")
Json = Any
TICKS = 3600
"""Of 1/90000 s, from one picture to the next."""
SMALL_H264 = {"codec_type": "video", "name": "h264", "width": 160, "height": 90}
AAC = {"codec_type": "audio", "name": "aac", "sample_rate": 48_000, "channels": 1, "bit_rate": 96_000}


def tone(hertz: float, rate: int, first: int, end: int) -> np.ndarray[Any, Any]:
    """The sine that films here are heard with."""
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(first, end) / rate)


class TestPicturesThatNeedOthers:
    def test_one_packet_brings_its_run_of_two_seconds(self, film: Kitchen) -> None:
        film.make("small", SMALL_H264)
        film.relations.renditions.create("film", "small", {"0": "video"})

        assert film.get("small", "0", f"packet_{60 * TICKS}", readAhead=0)

        made = [each.element for each in film.elements("small")]
        assert [element.pts for element in made] == [n * TICKS for n in range(50, 100)]
        assert [element.is_key for element in made] == [True] + [False] * 49
        assert all(element.dts == element.pts and element.duration == TICKS for element in made)
        assert all(len(element.plane_sizes) == 1 for element in made)

    def test_what_is_made_apart_is_one_stream_of_the_right_pictures(self, film: Kitchen) -> None:
        film.make("small", SMALL_H264)
        film.relations.renditions.create("film", "small", {"0": "video"})

        for number in (99, 3):
            assert film.get("small", "0", f"packet_{number * TICKS}", readAhead=0)

        given, shown = film.shown("film"), film.shown("small")
        assert list(shown) == pytest.approx(list(given))
        for moment, picture in zip(given.values(), shown.values(), strict=True):
            assert picture.shape == (90, 160)
            halved = moment.reshape(90, 2, 160, 2).mean(axis=(1, 3))
            assert np.abs(halved - picture).mean() < 6

    def test_the_same_run_becomes_the_same_whichever_packet_was_asked_for(self, film: Kitchen) -> None:
        for name, number in (("a", 0), ("b", 49)):
            film.make(name, SMALL_H264)
            film.relations.renditions.create("film", name, {"0": "video"})
            assert film.get(name, "0", f"packet_{number * TICKS}", readAhead=0)

        a, b = ([bytes(item.planes[0]) for item in film.media(name)] for name in "ab")
        assert a == b

    def test_reading_ahead_goes_on_into_the_next_run(self, film: Kitchen) -> None:
        film.make("small", SMALL_H264)
        film.relations.renditions.create("film", "small", {"0": "video"})

        assert film.get("small", "0", f"packet_{49 * TICKS}", readAhead=2)

        assert len(film.elements("small")) == 100

    @pytest.mark.parametrize("pts", [1, -TICKS, 100 * TICKS, 60 * TICKS + 1])
    def test_nothing_is_made_where_the_source_has_nothing(self, film: Kitchen, pts: int) -> None:
        film.make("small", SMALL_H264)
        film.relations.renditions.create("film", "small", {"0": "video"})

        assert not film.get("small", "0", f"packet_{pts}")
        assert film.elements("small") == []

    @pytest.mark.parametrize("codec", ["hevc", "vp9", "av1", "mpeg4"])
    def test_other_codecs_too(self, film: Kitchen, codec: str) -> None:
        film.make("other", {**SMALL_H264, "name": codec})
        film.relations.renditions.create("film", "other", {"0": "video"})

        for number in (10, 60):
            assert film.get("other", "0", f"packet_{number * TICKS}", readAhead=0)

        given, shown = film.shown("film"), film.shown("other")
        assert list(shown) == pytest.approx(list(given))
        worst = max(
            np.abs(picture.reshape(90, 2, 160, 2).mean(axis=(1, 3)) - shown[moment]).mean()
            for moment, picture in zip(shown, given.values(), strict=True)
        )
        assert worst < 12

    def test_a_coarse_time_base_loses_no_picture(self, film: Kitchen) -> None:
        film.make("small", SMALL_H264, base=(1, 1000))
        film.relations.renditions.create("film", "small", {"0": "video"})

        assert film.get("small", "0", "packet_1040", readAhead=0)

        assert [each.element.pts for each in film.elements("small")] == [n * 40 for n in range(50)]

    def test_an_impossible_codec_is_told(self, film: Kitchen) -> None:
        film.make("odd", {"codec_type": "video", "name": "h264", "width": 161, "height": 91})
        film.make("none", {"codec_type": "video", "name": "vc1"})
        for name in ("odd", "none"):
            film.relations.renditions.create("film", name, {"0": "video"})

        with pytest.raises(MediaError, match="can't be encoded as h264"):
            film.get("odd", "0", "packet_0")
        with pytest.raises(MediaError, match="no encoder for vc1"):
            film.get("none", "0", "packet_0")

    def test_a_source_that_has_lost_its_payload_is_told(self, film: Kitchen) -> None:
        film.make("small", SMALL_H264)
        film.relations.renditions.create("film", "small", {"0": "video"})
        film.drop_payloads("film", 0, 0)

        with pytest.raises(NotFoundError, match="'film' has lost the payload at 0"):
            film.get("small", "0", "packet_0")

    def test_what_was_provided_stays_as_it_is(self, film: Kitchen) -> None:
        film.make("small", SMALL_H264)
        film.relations.renditions.create("film", "small", {"0": "video"})
        assert film.get("small", "0", "packet_0", readAhead=0)
        first = film.element("small", 0, "packet_0")
        film.drop_payloads("small", TICKS, 49 * TICKS)

        assert film.get("small", "0", f"packet_{10 * TICKS}", readAhead=0)

        assert film.element("small", 0, "packet_0") == first
        assert {each.payload for each in film.elements("small")} == {PayloadState.HERE}

    def test_a_rendition_of_a_rendition_has_both_made(self, film: Kitchen) -> None:
        film.make("small", SMALL_H264)
        film.make("smaller", {**SMALL_H264, "name": "vp9", "width": 80, "height": 46})
        film.relations.renditions.create("film", "small", {"0": "video"})
        film.relations.renditions.create("small", "smaller")

        assert film.get("smaller", "0", f"packet_{60 * TICKS}", readAhead=0)

        assert len(film.elements("smaller")) == len(film.elements("small")) == 50

    def test_a_range_of_time_is_made_whole(self, film: Kitchen) -> None:
        film.make("small", SMALL_H264)
        film.relations.renditions.create("film", "small", {"0": "video"})

        assert film.get("small", "0", "1.9s-2.1s")
        assert not film.get("small", "0", "5s-6s")

        assert len(film.elements("small")) == 100

    def test_a_range_whose_payload_is_nowhere_is_told(self, film: Kitchen) -> None:
        film.drop_payloads("film", 512, 512)

        assert film.get("film", "video", "0.05s-2s")
        with pytest.raises(NotFoundError, match="no source has the payload of packet_512 of 'film'"):
            film.get("film", "video", "0s-2s")


class TestPicturesOfTheirOwn:
    def test_raw_frames_have_the_form_that_the_stream_says(self, film: Kitchen) -> None:
        raw = {"codec_type": "video", "name": "rawvideo", "width": 160, "height": 90, "format": "gray"}
        film.make("frames", raw)
        film.relations.renditions.create("film", "frames", {"0": "video"})

        assert film.get("frames", "0", f"frame_{7 * TICKS}", readAhead=2)

        made = film.elements("frames")
        assert [each.element.pts for each in made] == [n * TICKS for n in (7, 8, 9)]
        assert {picture.shape for picture in film.shown("frames").values()} == {(90, 160)}

    def test_the_same_codec_in_the_same_form_is_taken_over_with_its_times(self, film: Kitchen) -> None:
        film.make("same", {"codec_type": "video", "name": "h264"})
        film.relations.renditions.create("film", "same", {"0": "video"})

        assert film.get("same", "0", f"packet_{7 * TICKS}", readAhead=99)
        assert film.get("same", "0", "packet_0", readAhead=6)

        assert list(film.shown("same")) == pytest.approx(list(film.shown("film")))
        pairs = zip(film.media("film"), film.media("same"), strict=True)
        assert all(
            (a.planes[0], a.element.is_key) == (bytes(b.planes[0]), b.element.is_key) for a, b in pairs
        )

    def test_the_same_codec_in_another_size_is_encoded(self, film: Kitchen) -> None:
        film.make("small", SMALL_H264)
        film.relations.renditions.create("film", "small", {"0": "video"})

        assert film.get("small", "0", "packet_0", readAhead=0)

        assert film.shown("small")[0.0].shape == (90, 160)


class TestSound:
    def test_sound_is_mixed_down_and_encoded_in_its_exact_place(
        self, chord: Kitchen, clock: ManualClock
    ) -> None:
        clock.advance(timedelta(minutes=1))
        chord.make("mono", AAC, base=(1, 48_000))
        chord.relations.renditions.create("chord", "mono", {"0": "audio"})

        for number in (140, 30, 281, 230):
            assert chord.get("mono", "0", f"packet_{number * 1024}", readAhead=0)

        made = [each.element for each in chord.elements("mono")]
        assert [element.pts for element in made] == [n * 1024 for n in range(-1, 282)]
        assert all(element.is_key and element.duration == 1024 for element in made)
        heard = chord.heard("mono", 0, 48_000, 4800, 280_000)[:, 0]
        wanted = 0.5 * (tone(440, 48_000, 4800, 280_000) + tone(880, 48_000, 4800, 280_000))
        assert np.sqrt(np.mean((heard - wanted) ** 2)) < 0.02
        assert np.abs(heard - wanted).max() < 0.1

    def test_decoders_are_told_what_they_have_to_know(self, chord: Kitchen) -> None:
        chord.make("mono", AAC, base=(1, 48_000))
        chord.relations.renditions.create("chord", "mono", {"0": "audio"})

        assert chord.get("mono", "0", "packet_0")

        assert chord.document("mono")["codecpar"]["extradata"]
        assert chord.catalogue.get("mono").revision == 2

    @pytest.mark.parametrize("channel", [0, 1])
    def test_one_channel_is_picked(self, chord: Kitchen, channel: int) -> None:
        chord.make("one", {"codec_type": "audio", "name": "pcm_s16le", "channels": 1}, base=(1, 44_100))
        chord.relations.renditions.create("chord", "one", {"0": f"audio[{channel}]"})

        assert chord.get("one", "0", "packet_0", readAhead=0)

        heard = chord.heard("one", 0, 44_100, 0, 80_000)[:, 0]
        assert np.abs(heard - tone((440, 880)[channel], 44_100, 0, 80_000)).max() < 2e-4

    def test_channels_are_put_side_by_side_in_the_order_that_was_asked_for(self, chord: Kitchen) -> None:
        chord.make("swapped", {"codec_type": "audio", "name": "flac", "channels": 2}, base=(1, 44_100))
        chord.relations.renditions.create("chord", "swapped", {"0": ["audio[1]", "audio[0]"]})

        assert chord.get("swapped", "0", "packet_0", readAhead=0)

        heard = chord.heard("swapped", 0, 44_100, 0, 80_000)
        assert np.abs(heard[:, 0] - tone(880, 44_100, 0, 80_000)).max() < 2e-4
        assert np.abs(heard[:, 1] - tone(440, 44_100, 0, 80_000)).max() < 2e-4

    @pytest.mark.parametrize("codec", ["mp3", "opus", "ac3", "alac"])
    def test_other_codecs_too(self, chord: Kitchen, codec: str) -> None:
        chord.make("other", {"codec_type": "audio", "name": codec, "sample_rate": 48_000}, base=(1, 48_000))
        chord.relations.renditions.create("chord", "other", {"0": "audio"})

        first = chord.run("retrieveCopy", "other", "0", "packet_0")
        assert first.is_declined == (codec != "alac")
        ahead = {"mp3": 47, "opus": 648, "ac3": 1280}.get(codec, 0)
        assert chord.get("other", "0", f"packet_{ahead}", readAhead=200)

        heard = chord.heard("other", 0, 48_000, 9600, 140_000)
        wanted = np.stack([tone(hertz, 48_000, 9600, 140_000) for hertz in (440, 880)], axis=1)
        assert np.sqrt(np.mean((heard - wanted) ** 2)) < 0.02

    def test_raw_frames_of_sound_are_decoded(self, chord: Kitchen) -> None:
        codec = {"codec_type": "audio", "name": "pcm_f32le", "format": "fltp", "frame_size": 500}
        chord.make("frames", codec, base=(1, 44_100))
        chord.relations.renditions.create("chord", "frames", {"0": "audio"})

        assert chord.get("frames", "0", "frame_1000", readAhead=0)

        one = chord.element("frames", 0, "frame_1000")
        assert (one.element.plane_sizes, one.element.duration) == ((2000, 2000), 500)
        heard = chord.heard("frames", 0, 44_100, 0, 80_000)
        assert np.abs(heard[:, 0] - tone(440, 44_100, 0, 80_000)).max() < 2e-4

    def test_sound_that_is_still_coming_is_not_made_with_silence(
        self, chord: Kitchen, clock: ManualClock
    ) -> None:
        chord.make("mono", AAC, base=(1, 48_000))
        chord.relations.renditions.create("chord", "mono", {"0": "audio"})

        assert not chord.get("mono", "0", f"packet_{281 * 1024}")
        assert chord.get("mono", "0", f"packet_{277 * 1024}")
        clock.advance(timedelta(minutes=1))
        assert chord.get("mono", "0", f"packet_{281 * 1024}")

    def test_channels_without_places_are_not_mixed(self, chord: Kitchen) -> None:
        chord.make("mono", {**AAC, "channels": 1}, base=(1, 48_000))
        chord.relations.renditions.create("chord", "mono", {"0": ["audio[0]"] * 9})

        with pytest.raises(MediaError, match="9 channels without places"):
            chord.get("mono", "0", "packet_0")


def test_what_is_provided_by_others_is_not_made(film: Kitchen) -> None:
    film.make("small", SMALL_H264)
    film.relations.renditions.create("film", "small", {"0": "video"}, Making.PROVIDED)

    assert not film.get("small", "0", "packet_0")


def test_just_in_case_makes_runs_as_they_become_whole(film: Kitchen) -> None:
    film.make("small", SMALL_H264, {**AAC, "channels": 2})
    film.relations.renditions.create("film", "small", making=Making.JUST_IN_CASE)

    for stream, moment in (("video", 99 * 512), ("video", 5 * 512), ("audio", 150 * 1024)):
        film.run("makeRenditions", "film", stream, f"packet_{moment}")

    assert [each.element.pts for each in film.elements("small")] == [n * TICKS for n in range(50)]
    assert len(film.elements("small", 1)) >= 92


def test_every_store_keeps_what_was_made(any_kitchen: Kitchen, film_file: Path) -> None:
    kitchen = any_kitchen
    kitchen.bring_in("film", film_file)
    kitchen.make("small", SMALL_H264, {**AAC, "channels": 2})
    kitchen.relations.renditions.create("film", "small")

    assert kitchen.get("small", "0", f"packet_{60 * TICKS}", readAhead=0)
    assert kitchen.get("small", "1", "1s-1.1s")

    assert len(kitchen.shown("small")) == 50
    assert kitchen.document("small", 1)["codecpar"]["extradata"]
    kitchen.drop_payloads("small")
    assert kitchen.get("small", "0", f"packet_{99 * TICKS}", readAhead=0)
    assert len(kitchen.shown("small")) == 50
