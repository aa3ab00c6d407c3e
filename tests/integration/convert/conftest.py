"""Kitchens, and the files that are brought into them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jobengine.testing.clock import ManualClock
from tests.contract.contents.backends import BACKENDS
from tests.integration.convert.kitchen import Kitchen
from tests.integration.media.films import film, make


@pytest.fixture
def clock() -> ManualClock:
    """The kitchen's clock: each reading is a microsecond later."""
    return ManualClock(step=timedelta(microseconds=1))


@pytest.fixture
def kitchen(tmp_path: Path, clock: ManualClock) -> Iterator[Kitchen]:
    """A kitchen with an empty store in memory: what happens there is the same on all stores."""
    with BACKENDS["memory"](tmp_path / "store", clock) as factory:
        yield Kitchen(factory.open(), clock, tmp_path)


@pytest.fixture(params=sorted(BACKENDS))
def any_kitchen(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Kitchen]:
    """A kitchen with an empty store, once of each backend."""
    with BACKENDS[request.param](tmp_path / "store", clock) as factory:
        yield Kitchen(factory.open(), clock, tmp_path)


@pytest.fixture(scope="session")
def film_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of H.264 with B-frames, a key frame each second, and AAC."""
    return film(tmp_path_factory.mktemp("films") / "film.mp4")


@pytest.fixture(scope="session")
def chord_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of PCM in 44.1 kHz: 440 Hz on the left, 880 Hz on the right, each at 0.3."""
    sound = "aevalsrc='0.3*sin(440*2*PI*t)|0.3*sin(880*2*PI*t)':s=44100:d=6"
    path = tmp_path_factory.mktemp("sounds") / "chord.wav"
    return make(path, "-f", "lavfi", "-i", sound, "-c:a", "pcm_s16le")


@pytest.fixture(name="film")
def kitchen_with_film(kitchen: Kitchen, film_file: Path) -> Kitchen:
    """A kitchen with the film, as the content of that name."""
    kitchen.bring_in("film", film_file)
    return kitchen


@pytest.fixture
def chord(kitchen: Kitchen, chord_file: Path) -> Kitchen:
    """A kitchen with the chord, as the content of that name."""
    kitchen.bring_in("chord", chord_file)
    return kitchen
