"""Transformations are run when what they make is read: filters over one or several sources, within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobengine.contents.relations.making import Making
from jobengine.contents.relations.transformations import Transformation
from jobengine.errors import MalformedError, MediaError
from tests.integration.convert.kitchen import Kitchen

pytestmark = pytest.mark.needs("ffmpeg")
Json = Any
TICKS = 3600
GRAY = {"codec_type": "video", "name": "rawvideo", "format": "gray"}
H264 = {"codec_type": "video", "name": "h264"}
PCM = {"codec_type": "audio", "name": "pcm_f32le", "sample_rate": 44_100}


def transform(
    kitchen: Kitchen, sources: str, targets: str, recipe: Json, *bounds: int, **members: Any
) -> None:
    """Note a transformation of contents by their names, apart by blanks."""
    first, length = bounds or (None, None)
    given = tuple(sources.split()), tuple(targets.split()), recipe
    kitchen.relations.transformations.create(Transformation(*given, first, length, **members))


def test_a_filter_makes_pictures_of_pictures(film: Kitchen) -> None:
    film.make("mirror", GRAY)
    transform(film, "film", "mirror", {"video": "hflip"})

    assert film.get("mirror", "0", f"frame_{60 * TICKS}", readAhead=0)

    (picture,) = film.shown("mirror").values()
    given = film.shown("film")[60 / 25]
    assert np.abs(picture - given[:, ::-1]).mean() < 3


def test_what_it_makes_may_be_coded(film: Kitchen) -> None:
    film.make("mirror", H264)
    transform(film, "film", "mirror", {"video": [{"filter": "hflip,scale=160:90"}]})

    assert film.get("mirror", "0", f"packet_{60 * TICKS}", readAhead=0)

    made = film.elements("mirror")
    assert [each.element.is_key for each in made] == [True] + [False] * 49
    assert {picture.shape for picture in film.shown("mirror").values()} == {(90, 160)}


def test_several_sources_meet_picture_by_picture(film: Kitchen) -> None:
    film.make("small", {**H264, "width": 160, "height": 90})
    film.relations.renditions.create("film", "small", {"0": "video"})
    film.make("both", GRAY)
    recipe = {"video": [{"sources": [{"content": "film"}, {"content": "small"}], "filter": "overlay=8:16"}]}
    transform(film, "film small", "both", recipe)

    assert film.get("both", "0", f"frame_{60 * TICKS}", readAhead=0)

    (picture,) = film.shown("both").values()
    given, small = film.shown("film")[60 / 25], film.shown("small")[60 / 25]
    assert np.abs(picture[16:106, 8:168] - small).mean() < 3
    assert np.abs(picture[110:, :] - given[110:, :]).mean() < 3


def test_a_source_may_be_shifted(film: Kitchen) -> None:
    film.make("later", GRAY)
    sources = [{"content": "film", "shift": 10_000_000}]
    transform(film, "film", "later", {"video": [{"sources": sources, "filter": "null"}]})

    assert film.get("later", "0", f"frame_{(250 + 60) * TICKS}", readAhead=0)
    assert not film.get("later", "0", f"frame_{60 * TICKS}")

    (picture,) = film.shown("later").values()
    assert np.abs(picture - film.shown("film")[60 / 25]).mean() < 3


@pytest.mark.parametrize(("speed", "pts"), [(2, 30 * TICKS), (0.5, 120 * TICKS), ([3, 1], 20 * TICKS)])
def test_a_source_may_go_faster_or_slower(film: Kitchen, speed: Json, pts: int) -> None:
    film.make("paced", H264)
    sources = [{"content": "film", "speed": speed, "shift": 10_000_000}]
    transform(film, "film", "paced", {"video": [{"sources": sources, "filter": "null"}]})

    assert film.get("paced", "0", f"packet_{900_000 + pts}", readAhead=0)

    picture = film.shown("paced")[10 + pts / 90_000]
    assert np.abs(picture - film.shown("film")[60 / 25]).mean() < 4
    first, second = film.elements("paced")[:2]
    assert (second.element.pts or 0) - (first.element.pts or 0) == first.element.duration == pts // 60


def test_sound_goes_faster_without_a_seam(chord: Kitchen) -> None:
    chord.make("fast", {**PCM, "channels": 2}, base=(1, 44_100))
    sources = [{"content": "chord", "speed": 1.5}]
    transform(chord, "chord", "fast", {"audio": [{"sources": sources, "filter": "anull"}]})

    for second in range(3):
        assert chord.get("fast", "0", f"{second}s-{second}.9s")

    at = np.arange(4410, 120_000) / 44_100
    left = chord.heard("fast", 0, 44_100, 4410, 120_000)[:, 0]
    assert np.abs(left - 0.3 * np.sin(2 * np.pi * 660 * at)).max() < 1e-3


def test_sound_goes_no_faster_than_its_samples_allow(chord: Kitchen) -> None:
    chord.make("odd", {**PCM, "channels": 2}, base=(1, 44_100))
    sources = [{"content": "chord", "speed": [1001, 960]}]
    transform(chord, "chord", "odd", {"audio": [{"sources": sources, "filter": "anull"}]})

    with pytest.raises(MediaError, match="44100 Hz can't go 1001/960 times as fast"):
        chord.get("odd", "0", "0s-1s")


def test_nothing_is_made_outside_its_bounds(film: Kitchen) -> None:
    film.make("part", H264)
    transform(film, "film", "part", {"video": "hflip"}, 1_000_000, 2_000_000)

    assert film.get("part", "0", "0s-4s")

    made = [each.element for each in film.elements("part")]
    assert [element.pts for element in made] == [n * TICKS for n in range(25, 75)]
    assert [n for n, element in enumerate(made) if element.is_key] == [0, 25]
    assert not film.get("part", "0", f"packet_{24 * TICKS}")


def test_several_targets_are_made_each_by_its_own_filter(film: Kitchen) -> None:
    for name in ("left", "right"):
        film.make(name, GRAY)
    recipe = {
        "video": [
            {"target": "left", "filter": "crop=160:180:0:0"},
            {"target": "right", "filter": "crop=160:180:160:0"},
        ]
    }
    transform(film, "film", "left right", recipe)

    for name in ("left", "right"):
        assert film.get(name, "0", "frame_0", readAhead=0)

    whole = np.hstack([next(iter(film.shown(name).values())) for name in ("left", "right")])
    assert np.abs(whole - film.shown("film")[0.0]).mean() < 3


def test_sound_is_mixed_without_a_seam(chord: Kitchen) -> None:
    chord.make("mixed", {**PCM, "channels": 1}, base=(1, 44_100))
    recipe = {"audio": "[0]pan=mono|c0=c0[l];[1]pan=mono|c0=c1,volume=0.5[r];[l][r]amix=inputs=2:normalize=0"}
    transform(chord, "chord chord", "mixed", recipe)

    for second in range(5):
        assert chord.get("mixed", "0", f"{second}s-{second}.9s")

    at = np.arange(4410, 200_000) / 44_100
    wanted = 0.3 * np.sin(2 * np.pi * 440 * at) + 0.15 * np.sin(2 * np.pi * 880 * at)
    assert np.abs(chord.heard("mixed", 0, 44_100, 4410, 200_000)[:, 0] - wanted).max() < 1e-3


def test_a_filter_that_ffmpeg_refuses_is_told(film: Kitchen) -> None:
    for name, text in (("a", "scale=nonsense=1"), ("b", "overlay"), ("c", "crop=9999:9999")):
        film.make(name, GRAY)
        transform(film, "film", name, {"video": text})

    with pytest.raises(MediaError, match="scale refuses its options 'nonsense=1'"):
        film.get("a", "0", "frame_0")
    with pytest.raises(MediaError, match="overlay has 2 inputs; the filter gives it 1"):
        film.get("b", "0", "frame_0")
    with pytest.raises(MediaError, match="don't fit together"):
        film.get("c", "0", "frame_0")


def test_pictures_that_an_expression_makes_too_large_are_refused(film: Kitchen) -> None:
    film.make("wide", GRAY)
    transform(film, "film", "wide", {"video": "crop=64:16,scale=iw*300:ih"})

    with pytest.raises(MediaError, match="makes 19200 x 16 pixels; 16384 a side are possible"):
        film.get("wide", "0", "frame_0", readAhead=0)


@pytest.mark.parametrize(
    ("recipe", "place"),
    [
        ({"video": "movie=/etc/passwd"}, "/recipe/video/0/filter"),
        ({"video": [{"filter": "hflip"}, {"filter": "x"}]}, "/recipe/video/1/filter"),
        ({"video": [{"sources": [{"content": "other"}], "filter": "null"}]}, "/recipe/video/0/sources/0"),
        ({"audio": [{"target": "other", "filter": "anull"}]}, "/recipe/audio/0/target"),
        ({"video": [{"filter": 7}]}, "/recipe/video"),
        ({"video": [{"filter": "null", "speed": 2}]}, "/recipe/video"),
        *(
            ({"video": {"sources": [{"content": "film", "speed": speed}], "filter": "null"}}, "/recipe/video")
            for speed in (0, 0.001, 101, -1, "2", [2], [2, 0], [1, 2, 3])
        ),
    ],
)
def test_a_recipe_that_can_not_be_run_is_refused_with_its_place(
    film: Kitchen, recipe: Json, place: str
) -> None:
    film.make("target", GRAY)

    with pytest.raises(MalformedError) as caught:
        transform(film, "film", "target", recipe)

    assert place in caught.value.detail
    assert film.relations.transformations.of("target") is None


@pytest.mark.parametrize("recipe", ["scale it down", {"filter": "overlay"}, {}])
def test_notes_are_kept_and_not_run(film: Kitchen, recipe: Json) -> None:
    film.make("noted", GRAY)
    transform(film, "film", "noted", recipe)

    assert not film.get("noted", "0", "frame_0")
    made = film.relations.transformations.of("noted")
    assert made is not None
    assert made.recipe == recipe


def test_who_makes_it_and_when_is_said_by_the_relation(film: Kitchen) -> None:
    for name, making in (("provided", Making.PROVIDED), ("ahead", Making.JUST_IN_CASE)):
        film.make(name, GRAY)
        transform(film, "film", name, {"video": "hflip"}, making=making)

    assert not film.get("provided", "0", "frame_0")
    film.run("makeRenditions", "film", "video", "packet_512")
    assert [each.element.pts for each in film.elements("ahead")] == [TICKS]


def test_every_store_keeps_recipes_and_what_they_made(any_kitchen: Kitchen, film_file: Path) -> None:
    kitchen = any_kitchen
    kitchen.bring_in("film", film_file)
    kitchen.make("mirror", GRAY)
    transform(kitchen, "film", "mirror", {"video": "hflip"}, 0, 4_000_000)

    assert kitchen.get("mirror", "0", "frame_0", readAhead=0)
    assert len(kitchen.shown("mirror")) == 1
