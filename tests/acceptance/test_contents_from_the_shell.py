"""``jobengine content`` and ``Client.contents`` against a real service: in, look, cut, out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobengine.client import content_import
from jobengine.errors import ConflictError, NotFoundError
from tests.integration.media.films import film, make, packets, probe
from tests.services import Service

VIDEO = {"type": "Stream", "time_base": [1, 25], "codecpar": {"codec_type": "video"}}
pytestmark = pytest.mark.needs("ffmpeg")


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("media") / "movie.mp4")


def _cli(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    return service.cli("content", *arguments, "--url", service.client.url)


def test_a_film_goes_in_and_comes_out_bit_by_bit(service: Service, movie: Path, tmp_path: Path) -> None:
    told = _cli(service, "import", str(movie), "--name", "a film/1")
    assert (told.returncode, told.stdout) == (0, "a film/1: 2 streams, 289 new elements\n"), told.stderr
    assert "a film/1" in _cli(service, "list").stdout.splitlines()
    out = tmp_path / "again.mp4"
    exported = _cli(service, "export", "a film/1", str(out), "-o", "json")
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["copied"] == [0, 1]
    assert packets(out) == packets(movie)
    assert [path.name for path in tmp_path.iterdir()] == ["again.mp4"]
    assert _cli(service, "delete", "a film/1").returncode == 0
    assert _cli(service, "show", "a film/1").returncode == 3


def test_it_is_shown_to_people_and_to_programs(service: Service, movie: Path) -> None:
    _cli(service, "import", str(movie), "--name", "shown")
    table = _cli(service, "show", "shown").stdout
    assert "h264" in table
    assert "320x180" in table
    assert "48000 Hz, 1 channels" in table
    document = json.loads(_cli(service, "show", "shown", "-o", "json").stdout)
    assert [stream["closed"] for stream in document["streams"]] == [True, True]
    rows = json.loads(_cli(service, "get", "shown", "video", "1s-1.2s", "-o", "json").stdout)
    assert [row["pts"] for row in rows] == [12800, 13312, 13824, 14336, 14848, 15360]


def test_a_payload_is_written_as_it_is(service: Service, movie: Path) -> None:
    service.client.contents.import_file(movie, "raw")
    done = subprocess.run(
        [sys.executable, "-m", "jobengine", "content", "get", "raw", "video", "first", "--data"],
        env={**service.environment, "JOBENGINE_URL": service.client.url},
        capture_output=True,
        check=False,
    )
    assert done.stdout == service.client.contents.payload("raw", "video", "packet_0")


def test_a_part_is_cut_to_the_picture(service: Service, movie: Path, tmp_path: Path) -> None:
    service.client.contents.import_file(movie, "cut")
    out = tmp_path / "part.mp4"
    assert _cli(service, "export", "cut", str(out), "--range", "1.4s-2.6s").returncode == 0
    assert probe(out, "codec_name,nb_read_frames")[0] in ("h264,30", "h264,31", "h264,32")
    done = _cli(
        service, "export", "cut", str(tmp_path / "part.ts"), "--range", "1.4s-2s", "--stream", "video"
    )
    assert "begin at the key frame before" in done.stderr
    sound = _cli(service, "export", "cut", str(tmp_path / "part.wav"), "--range", "1s-2s")
    assert "left out: stream 0 (video, h264) has no place in wav" in sound.stderr
    assert "0 streams copied, 1 encoded anew" in sound.stdout


def test_a_name_may_end_as_an_address_does(service: Service, movie: Path, tmp_path: Path) -> None:
    for name in ("twin", "twin.json"):
        service.client.contents.import_file(movie, name)

    assert _cli(service, "export", "twin.json", str(tmp_path / "part.mp4")).returncode == 0
    assert service.client.contents.get("twin.json")["url"] == "twin.json"
    assert _cli(service, "delete", "twin.json").returncode == 0
    assert "twin" in service.client.contents.list()
    assert "twin.json" not in service.client.contents.list()


def test_a_folder_that_is_not_there_is_named(service: Service, movie: Path, tmp_path: Path) -> None:
    done = _cli(service, "export", "any", str(tmp_path / "nowhere" / "part.mp4"))

    assert "nowhere is not a folder, so part.mp4 can't be written there" in done.stderr


def test_a_part_behind_the_end_makes_no_file(service: Service, movie: Path, tmp_path: Path) -> None:
    service.client.contents.import_file(movie, "short")
    done = _cli(service, "export", "short", str(tmp_path / "part.mp4"), "--range", "40s-50s")
    assert (done.returncode, list(tmp_path.glob("part*"))) == (3, [])
    assert "'40s-50s' matches nothing in content 'short'" in done.stderr


def test_after_a_break_only_what_is_missing_is_brought(
    service: Service, movie: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_import, "BATCH_BYTES", 40_000)
    contents = service.client.contents

    def break_off(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        contents.import_file(movie, "broken", break_off)
    there = contents.size("broken")["elements"]
    assert 0 < there < 289
    again = contents.import_file(movie, "broken")
    assert (again.created, again.repeated) == (289 - there, there)
    assert contents.size("broken")["elements"] == 289
    assert contents.import_file(movie, "broken").created == 0


def test_a_name_that_something_else_has_is_refused(service: Service, movie: Path, tmp_path: Path) -> None:
    service.client.contents.import_file(movie, "taken")
    other = make(tmp_path / "other.wav", "-f", "lavfi", "-i", "sine=duration=1")
    done = _cli(service, "import", str(other), "--name", "taken")
    assert done.returncode == 5
    assert "not made from this file" in done.stderr
    with pytest.raises(ConflictError, match="is there already"):
        service.client.contents.export_file("taken", other)


def test_lines_that_no_job_has_written_go_into_no_content_that_is_there(
    service: Service, tmp_path: Path
) -> None:
    lines = tmp_path / "own.ndjson"
    lines.write_text('{"type": "format", "streams": []}\n{"type": "Packet", "pts": 7}\n')
    contents = service.client.contents
    contents.create({"type": "format", "url": "of another", "streams": [{**VIDEO, "closed": True}]})
    with pytest.raises(ConflictError, match="not made from this file"):
        contents.import_file(lines, "of another")
    assert contents.size("of another")["elements"] == 0


def test_an_empty_line_at_the_end_of_a_file_of_lines_means_nothing(service: Service, tmp_path: Path) -> None:
    lines = tmp_path / "own.ndjson"
    head, end = json.dumps({"type": "format", "streams": [VIDEO]}), {"message": "endOfStream"}
    element = json.dumps({"type": "Packet", "pts": 7})
    lines.write_text(f"{head}\n{element}\n{json.dumps({'type': 'Packet', **end})}\n\n")
    assert _cli(service, "import", str(lines), "--name", "lines").returncode == 0
    assert service.client.contents.stream("lines", "0")["closed"]


def test_a_damaged_file_is_brought_as_far_as_it_goes(service: Service, tmp_path: Path) -> None:
    whole = film(tmp_path / "film.mp4", "-movflags", "faststart")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole.read_bytes()[:-60_000])
    done = _cli(service, "import", str(broken), "-o", "json")
    assert done.returncode == 0, done.stderr
    assert "fault at byte" in done.stderr
    assert 0 < json.loads(done.stdout)["created"] < 289


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("import", "/missing.mp4"), 1, "does not exist"),
        (("show", "nothing"), 3, "nothing"),
        (("get", "nothing", "video", "1s"), 3, "nothing"),
        (("export", "nothing", "out.mp4"), 3, "nothing"),
        (("export", "nothing", "out.xyz"), 1, "known endings are"),
        (("export", "nothing", "out.mp4", "--range", "5"), 2, "is not a range of time"),
        (("delete", "nothing"), 3, "nothing"),
    ],
)
def test_what_can_not_be_ends_with_its_code(
    service: Service, tmp_path: Path, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    given = [str(tmp_path / each) if each.startswith("out.") else each for each in arguments]
    done = _cli(service, *given)
    assert done.returncode == code, done.stderr
    assert reason in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reference_that_finds_nothing_is_told(service: Service, movie: Path) -> None:
    service.client.contents.import_file(movie, "looked at")
    with pytest.raises(NotFoundError):
        list(service.client.contents.elements("looked at", "video", "99s"))
    assert [e["pts"] for e in service.client.contents.elements("looked at", "audio", "1st-3rd")] == [
        e["pts"] for e in list(service.client.contents.elements("looked at", "audio", "first-last"))[:3]
    ]


def test_contents_are_related_from_python(service: Service) -> None:
    relations = service.client.relations
    for name in ("original", "copy/1", "small.json", "mirror"):
        service.client.contents.create({"type": "format", "url": name, "streams": [VIDEO]})

    assert [relations.add_equivalent("original", "copy/1") for _ in range(2)] == [True, False]
    assert relations.equivalents("copy/1") == ["original"]
    stream_map = {"video": "video"}
    assert relations.add_rendition("small.json", "copy/1", stream_map, "provided")
    assert relations.rendition("small.json")["stream_map"] == stream_map
    assert relations.rendition("copy/1", reverse=True)["dependencies"] == ["small.json"]
    made = relations.add_transformation("mirror", {"sources": ["small.json"], "recipe": {"video": "hflip"}})
    assert relations.transformation("mirror") == made
    assert relations.transformation("small.json", reverse=True)["transformations"] == [["mirror"]]
    with pytest.raises(ConflictError, match="would be a circle"):
        relations.add_rendition("copy/1", "mirror")

    with pytest.raises(NotFoundError):
        relations.remove_transformation("mirror", ["mirror", "another"])
    relations.remove_transformation("mirror", ["mirror"])
    relations.remove_rendition("small.json", "copy/1")
    relations.remove_equivalent("copy/1", "original")
    assert relations.equivalents("original") == relations.rendition("small.json")["sources"] == []
