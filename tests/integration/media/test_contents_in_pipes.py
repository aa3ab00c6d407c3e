"""Pipes that play contents and record into them, over the embedded store."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.errors import MediaError
from jobengine.media.demux import Demuxer
from jobengine.model.element import PTS_MAX, PTS_MIN
from jobengine.ports.contents import ContentStore, DeleteElements, DropPayloads, PutElement
from jobengine.worker.pipe import PipeWork
from tests.integration.media.dying_recorder import prepared
from tests.integration.media.films import film
from tests.integration.media.sounds import AT, noise, read
from tests.needs import ROOT, media_folder

Json = Any


class Lent:
    """A store that pipes of this process share with the test, as an embedded one opens once in a process."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def close(self) -> None:
        """The test closes it."""


class Studio:
    """A folder of media and a store, and pipes over both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"file://{folder / 'contents'}"
        self.store: ContentStore = open_store(self.url)
        self.catalogue = Catalogue(self.store, SystemClock())

    def bring_in(self, path: Path, name: str) -> None:
        """Take a file apart into a content."""
        with Demuxer(path) as demuxer:
            content = self.catalogue.create(name, demuxer.format, demuxer.streams)
            self.store.commit(
                [
                    PutElement(content.stream_number(item.stream_index), item.element, item.planes)
                    for item in demuxer.elements()
                ]
            )

    def number(self, name: str, index: int = 0) -> int:
        return self.catalogue.get(name).stream_number(index)

    def work(self, source: Json, sink: list[Json], form: Json = None, **context: Any) -> PipeWork:
        """A prepared work with one input and one output."""
        return prepared(self.folder, source, sink, form, contents=self.url, **context)

    def play(self, name: str, form: Json = None, **members: Any) -> np.ndarray[Any, Any]:
        """What a content sounds like."""
        sink = [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": "out.wav"}]
        work = self.work({"name": "ContentSource", "content": name, **members}, sink, form)
        run(work)
        self.told = work.result
        return read(work.outputs[0].path)

    def record(self, source: str, name: str, form: Json = None, **members: Any) -> PipeWork:
        """Record a file into a content."""
        reader = {"name": "FileReader", "filePath": source}
        work = self.work(reader, [{"name": "ContentWriter", "content": name, **members}], form)
        run(work)
        return work


def run(work: PipeWork) -> None:
    """To the end of the input."""
    work.start(AT)
    while not work.at_end:
        work.advance(work.block_ticks)
    work.close()


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    made = Studio(tmp_path)
    monkeypatch.setattr("jobengine.worker.pipe_contents.open_store", lambda url: Lent(made.store))
    yield made
    made.store.close()


@pytest.mark.parametrize(("subtype", "resolution"), [("PCM_16", 16), ("PCM_24", 24), ("FLOAT", 32)])
@pytest.mark.parametrize("codec", ["pcm", "flac"])
def test_what_was_recorded_sounds_the_same_to_the_bit(
    studio: Studio, subtype: str, resolution: int, codec: str
) -> None:
    if (codec, resolution) == ("flac", 32):
        pytest.skip("FLAC holds no floats")
    path = noise(studio.folder / "in.wav", 100_003, subtype=subtype)
    work = studio.record("in.wav", "evening news", {"resolution": resolution}, codec=codec)
    (output,) = work.outputs
    assert (output.kind, output.path, output.url) == ("content", None, "/beams/evening%20news/stream_0")
    assert (output.samples, output.is_closed) == (100_003, True)
    played = studio.play("evening news", {"resolution": resolution})
    np.testing.assert_array_equal(played, read(path))


@pytest.mark.parametrize("codec", ["aac", "opus", "mp3"])
def test_a_lossy_recording_has_its_length_and_its_sound(studio: Studio, codec: str) -> None:
    seconds = np.arange(96_000) / 48_000
    soundfile.write(studio.folder / "in.wav", 0.5 * np.sin(2 * np.pi * 440 * seconds), 48_000)
    studio.record("in.wav", "tone", codec=codec)
    played = studio.play("tone", {"resolution": 24}) / 2**31
    assert len(played) - 96_000 in range(2_000)
    middle = played[20_000:70_000, 0]
    wanted = 0.5 * np.sin(2 * np.pi * 440 * seconds)[20_000:70_000]
    assert np.abs(middle - wanted).max() < 0.04


def test_the_elements_and_the_end_are_told(studio: Studio) -> None:
    noise(studio.folder / "in.wav", 48_000)
    studio.record("in.wav", "news")
    content = studio.catalogue.get("news")
    facts = studio.store.facts(studio.number("news"))
    assert (facts.count, facts.key_count, facts.first_pts) == (25, 25, 0)
    assert content.ended == {0}
    assert content.streams[0] is not None
    assert content.streams[0]["codecpar"]["name"] == "pcm_s16le"
    elements = studio.store.range(studio.number("news"), PTS_MIN, PTS_MAX)
    assert len({stored.element.element_id for stored in elements}) == 25
    assert all(stored.element.duration == 1920 for stored in elements)


@pytest.mark.parametrize(
    ("members", "first", "end"),
    [
        ({"from": "1s"}, 48_000, 100_000),
        ({"to": "12345"}, 0, 12_345),
        ({"from": "0.5s", "to": "1.25s"}, 24_000, 60_000),
        ({"from": "2nd", "to": "3rd"}, 1_920, 5_760),
        ({"from": "packet_3840"}, 3_840, 100_000),
        ({"from": "start", "to": "end"}, 0, 100_000),
    ],
)
def test_a_part_is_played_to_the_sample(studio: Studio, members: Json, first: int, end: int) -> None:
    path = noise(studio.folder / "in.wav", 100_000)
    studio.record("in.wav", "news")
    np.testing.assert_array_equal(studio.play("news", **members), read(path)[first:end])


def test_another_rate_comes_out_in_its_length(studio: Studio) -> None:
    noise(studio.folder / "in.wav", 44_100, rate=44_100)
    studio.record("in.wav", "news")
    assert len(studio.play("news", {"sampleRate": 48_000})) == 48_000


def test_what_is_gone_is_silence_in_its_place_and_told(studio: Studio) -> None:
    path = noise(studio.folder / "in.wav", 96_000)
    studio.record("in.wav", "news")
    studio.store.commit(
        [
            DropPayloads(studio.number("news"), 19_200, 28_799),
            DeleteElements(studio.number("news"), 48_000, 57_599),
        ]
    )
    played, wanted = studio.play("news"), read(path)
    wanted[19_200:28_800] = 0
    wanted[48_000:57_600] = 0
    np.testing.assert_array_equal(played, wanted)
    assert studio.told == {"missing": {"In": [{"fromS": 0.4, "toS": 0.6}, {"fromS": 1.0, "toS": 1.2}]}}


@pytest.mark.needs("media")
@pytest.mark.parametrize("name", ["lena.wav", "lena.flac", "lena.mp3", "lena.opus", "lena.m4a"])
def test_what_was_brought_in_sounds_as_its_file_does(studio: Studio, name: str) -> None:
    studio.bring_in(media_folder() / name, "lena")
    played = studio.play("lena", {"resolution": 24})
    sink = [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": "straight.wav"}]
    (studio.folder / name).write_bytes((media_folder() / name).read_bytes())
    straight = studio.work({"name": "FileReader", "filePath": name}, sink, {"resolution": 24})
    run(straight)
    wanted = read(straight.outputs[0].path)
    assert abs(len(played) - len(wanted)) <= 1200
    shared = min(len(played), len(wanted))
    np.testing.assert_array_equal(played[:shared], wanted[:shared])


@pytest.mark.needs("ffmpeg")
def test_the_sound_of_a_film_is_played(studio: Studio) -> None:
    studio.bring_in(film(studio.folder / "film.mp4"), "film")
    assert abs(len(studio.play("film")) - 4 * 48_000) <= 1024


def test_a_second_recording_goes_on_behind_the_first(studio: Studio) -> None:
    first = noise(studio.folder / "first.wav", 50_000)
    second = noise(studio.folder / "second.wav", 30_000)
    studio.record("first.wav", "day", stream=0)
    reader = {"name": "FileReader", "filePath": "second.wav"}
    run(studio.work(reader, [{"name": "ContentWriter", "content": "day", "stream": 0}], job_id="job-2"))
    np.testing.assert_array_equal(studio.play("day"), np.concatenate([read(first), read(second)]))


def test_without_a_number_each_recording_is_a_stream(studio: Studio) -> None:
    noise(studio.folder / "in.wav", 5_000)
    studio.record("in.wav", "day")
    reader = {"name": "FileReader", "filePath": "in.wav"}
    run(studio.work(reader, [{"name": "ContentWriter", "content": "day"}], job_id="job-2"))
    assert len(studio.catalogue.get("day").streams) == 2
    assert studio.catalogue.get("day").ended == {0, 1}


@pytest.mark.parametrize("codec", ["pcm", "flac"])
def test_after_a_kill_the_recording_goes_on_without_a_gap(studio: Studio, codec: str) -> None:
    path = noise(studio.folder / "in.wav", 400_000, channels=8)
    sink = [{"name": "ContentWriter", "content": "news ${StartTime|yyyy}", "codec": codec}]
    reader = {"name": "FileReader", "filePath": "in.wav"}
    command = [sys.executable, "-m", "tests.integration.media.dying_recorder", str(studio.folder)]
    killed = subprocess.run([*command, json.dumps(reader), json.dumps(sink), "250000"], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    name = "news 2026"
    assert 0 < (studio.store.facts(studio.number(name)).count) < 200
    assert studio.catalogue.get(name).ended == frozenset()
    resumed = studio.work(reader, sink, first_running=AT, resume_position=250_000)
    assert 0 < resumed.position < 250_000
    run(resumed)
    assert studio.catalogue.get(name).ended == {0}
    np.testing.assert_array_equal(studio.play(name), read(path))


def test_what_is_still_coming_is_followed_to_its_end(studio: Studio) -> None:
    path = noise(studio.folder / "in.wav", 96_000)
    recording = studio.work(
        {"name": "FileReader", "filePath": "in.wav", "realTime": True},
        [{"name": "ContentWriter", "content": "live"}],
    )
    recording.start(AT)
    recording.advance(48_000)
    sink = [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": "out.wav"}]
    player = studio.work({"name": "ContentSource", "content": "live", "follow": True}, sink)
    player.start(AT)
    assert 28_000 < player.advance(96_000) <= 48_000
    assert not player.at_end
    recording.advance(48_000)
    recording.close()
    while not player.at_end:
        player.advance(96_000)
    player.close()
    np.testing.assert_array_equal(read(player.outputs[0].path), read(path))


def test_a_deleted_content_ends_its_player_with_a_reason(studio: Studio) -> None:
    noise(studio.folder / "in.wav", 48_000)
    recording = studio.work(
        {"name": "FileReader", "filePath": "in.wav"}, [{"name": "ContentWriter", "content": "live"}]
    )
    recording.start(AT)
    sink = [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": "out.wav"}]
    player = studio.work({"name": "ContentSource", "content": "live", "follow": True}, sink)
    player.start(AT)
    studio.catalogue.delete("live")
    with pytest.raises(MediaError, match="content 'live' was deleted while it was played"):
        player.advance(48_000)
    player.close()
    recording.close()


def test_a_content_deleted_under_its_recorder_ends_the_job_and_leaves_nothing(studio: Studio) -> None:
    noise(studio.folder / "in.wav", 600_000)
    reader = {"name": "FileReader", "filePath": "in.wav"}
    work = studio.work(reader, [{"name": "ContentWriter", "content": "take"}])
    work.start(AT)
    number = studio.number("take")
    studio.catalogue.delete("take")

    with pytest.raises(MediaError, match="'take' was deleted while it was recorded"):
        work.advance(600_000)
    with pytest.raises(MediaError, match="'take' was deleted while it was recorded"):
        work.close()

    assert studio.store.facts(number).count == 0


def _source(**members: Any) -> Callable[[Studio], object]:
    sink = [{"name": "WAVDest"}, {"name": "FileWriter", "filePath": "x.wav"}]
    return lambda studio: studio.work({"name": "ContentSource", "content": "day", **members}, sink)


def _writer(**members: Any) -> Callable[[Studio], object]:
    reader = {"name": "FileReader", "filePath": "in.wav"}

    def make(studio: Studio) -> object:
        work = studio.work(reader, [{"name": "ContentWriter", "content": "day", **members}], job_id="another")
        try:
            work.start(AT)
        finally:
            work.close()
        return work

    return make


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_source(content="night"), "there is no content 'night'"),
        (_source(stream="video"), "content 'day' has no stream 'video'"),
        (_source(**{"from": "500th"}), "has no place '500th' in stream 0"),
        (_source(**{"from": "2s", "to": "1s"}), "is not after the first moment"),
        (_writer(stream=0, codec="flac"), "has name pcm_s16le, not flac; record into another stream"),
        (_writer(content="a/"), "can't be the name of a content"),
    ],
)
def test_what_can_not_be_is_told_in_a_sentence(
    studio: Studio, make: Callable[[Studio], object], reason: str
) -> None:
    noise(studio.folder / "in.wav", 48_000)
    studio.record("in.wav", "day")
    with pytest.raises(MediaError, match=reason):
        make(studio)


def test_without_a_store_nothing_is_played_or_recorded(studio: Studio) -> None:
    noise(studio.folder / "in.wav", 100)
    studio.url = ""
    with pytest.raises(MediaError, match="keeps no contents, so none can be played"):
        _source()(studio)
    with pytest.raises(MediaError, match="keeps no contents, so none can be recorded"):
        _writer()(studio)
