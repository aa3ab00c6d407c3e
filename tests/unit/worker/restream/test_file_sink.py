"""A file of lines: what was offered stands in it, whole, once, and no other file is touched."""

from __future__ import annotations

import json
import resource
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import pytest

from jobengine.errors import DiskFull, MediaError, SinkError
from jobengine.ids import new_element_id
from jobengine.model.element import Element, ElementKind
from jobengine.model.roots import MediaRoots
from jobengine.ports.sink import SinkStream
from jobengine.testing import ManualClock
from jobengine.worker.restream.file_writer import FileWriter
from jobengine.worker.restream.grouped_sink import GroupedSink, Offered
from tests.unit.worker.restream.at_once import AtOnce

STREAM = SinkStream("vod", {"type": "demuxer", "url": "camera"}, {"type": "Stream", "time_base": [1, 1000]})


@pytest.fixture
def roots(tmp_path: Path) -> MediaRoots:
    return MediaRoots(PurePosixPath(tmp_path))


NewWriter = Callable[..., FileWriter]


@pytest.fixture
def writer(roots: MediaRoots) -> Iterator[NewWriter]:
    """Makes writers of one file, and closes them after the test."""
    made: list[FileWriter] = []

    def make(mark: int | None = 0, job: str = "job-1") -> FileWriter:
        made.append(FileWriter(roots, "vod/day.ndjson", STREAM, job, mark))
        return made[-1]

    yield make
    for each in made:
        each.close()


def packet(pts: int) -> Element:
    return Element(ElementKind.PACKET, pts, is_key=True, plane_sizes=(4,), element_id=new_element_id())


def lines(roots: MediaRoots) -> list[Any]:
    return [json.loads(line) for line in (Path(roots.base) / "vod/day.ndjson").read_bytes().splitlines()]


def offer_all(sink: GroupedSink, elements: list[Element]) -> None:
    for element in elements:
        assert sink.offer([element], [[b"data"]])
    sink.poll()


def test_elements_ends_and_their_payload_are_lines_behind_the_format(
    roots: MediaRoots, writer: NewWriter
) -> None:
    sink = GroupedSink(writer(), AtOnce(), ManualClock())
    first, end_id = packet(0), new_element_id()
    planes = Element(ElementKind.FRAME, 40, plane_sizes=(2, 2), element_id=new_element_id())
    sink.offer([first], [[b"\x00\xffab"]])
    sink.poll()
    sink.offer([planes], [[b"ab", b"cd"]])
    sink.poll()
    sink.offer_end(["night"], end_id)
    sink.poll()
    sink.close()
    head, line, frame, end = lines(roots)
    assert (sink.delivered, sink.safe, sink.mark) == (
        3,
        3,
        (Path(roots.base) / "vod/day.ndjson").stat().st_size,
    )
    assert (head["type"], head["jobId"], head["streams"][0]["time_base"]) == ("demuxer", "job-1", [1, 1000])
    assert "url" not in head
    assert (line["id"], line["pts"], b64decode(line["data"])) == (
        str(UUID(bytes=first.element_id)),
        0,
        b"\x00\xffab",
    )
    assert [b64decode(plane) for plane in frame["data"]] == [b"ab", b"cd"]
    assert (end["message"], end["labels"], end["id"]) == ("endOfStream", ["night"], str(UUID(bytes=end_id)))
    assert "data" not in end


def test_nothing_is_overwritten(roots: MediaRoots, writer: NewWriter) -> None:
    path = Path(roots.base) / "vod/day.ndjson"
    late = writer()
    path.parent.mkdir()
    path.write_text("what somebody else has written")
    with pytest.raises(SinkError, match="is there already"):
        writer()
    with pytest.raises(SinkError, match="is there already"):
        late.write([Offered(packet(0), [b"data"])])
    assert path.read_text() == "what somebody else has written"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_of_another_job_is_left_alone(roots: MediaRoots, writer: NewWriter) -> None:
    writer().write([Offered(packet(0), [b"data"])])
    with pytest.raises(SinkError, match="is there already"):
        writer(job="job-2")


@pytest.mark.parametrize("torn", [b"", b'{"type":"Pack', b'{"type":"Packet"}\n'])
def test_a_successor_cuts_what_its_ledger_does_not_know(
    roots: MediaRoots, writer: NewWriter, torn: bytes
) -> None:
    first = writer()
    mark = first.write([Offered(packet(pts), [b"data"]) for pts in (0, 40)])
    first.write([Offered(packet(80), [b"data"])])
    with (Path(roots.base) / "vod/day.ndjson").open("ab") as file:
        file.write(torn)
    writer(mark).write([Offered(packet(pts), [b"data"]) for pts in (80, 120)])
    assert [line["pts"] for line in lines(roots)[1:]] == [0, 40, 80, 120]


def test_a_successor_without_a_ledger_keeps_every_whole_line(roots: MediaRoots, writer: NewWriter) -> None:
    writer().write([Offered(packet(0), [bytes(200_000)])])
    with (Path(roots.base) / "vod/day.ndjson").open("ab") as file:
        file.write(b'{"type":"Packet","data":"' + b"A" * 100_000)
    writer(None).write([Offered(packet(40), [b"data"])])
    assert [line["pts"] for line in lines(roots)[1:]] == [0, 40]


def test_a_worker_that_died_before_its_first_note_begins_anew(roots: MediaRoots, writer: NewWriter) -> None:
    writer().write([Offered(packet(0), [b"data"])])
    writer(0).write([Offered(packet(0), [b"data"])])
    assert [line["pts"] for line in lines(roots)[1:]] == [0]


def test_a_file_that_was_cut_by_somebody_else_is_not_gone_on_with(
    roots: MediaRoots, writer: NewWriter
) -> None:
    mark = writer().write([Offered(packet(0), [b"data"])])
    with pytest.raises(SinkError, match="somebody has changed it"):
        writer(mark + 1).write([Offered(packet(40), [b"data"])])


def test_a_link_that_leads_out_is_refused(
    roots: MediaRoots, writer: NewWriter, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (Path(roots.base) / "vod").symlink_to(tmp_path_factory.mktemp("outside"))
    with pytest.raises(MediaError, match="leads out"):
        writer()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond 8 kB: a disk without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_without_room_the_file_keeps_whole_groups(
    roots: MediaRoots, writer: NewWriter, small_files: None
) -> None:
    target = writer()
    target.write([Offered(packet(0), [b"data"])])
    with pytest.raises(DiskFull, match="no space is left"):
        target.write([Offered(packet(40), [bytes(10_000)])])
    assert [line["pts"] for line in lines(roots)[1:]] == [0]


def test_a_sink_that_can_not_write_says_so_when_it_is_polled(roots: MediaRoots, writer: NewWriter) -> None:
    sink = GroupedSink(writer(), AtOnce(), ManualClock())
    (Path(roots.base) / "vod").write_text("no folder")
    sink.offer([packet(0)], [[b"data"]])
    with pytest.raises(SinkError, match="can't be written"):
        sink.poll()
