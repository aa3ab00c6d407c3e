"""Contents in a folder: made with the content, kept in step with it, complete enough to be read alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jobengine.errors import NotFoundError
from jobengine.media.media_element import MediaElement
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import PutElement
from tests.integration.convert.kitchen import Kitchen

VIDEO = {"codec_type": "video", "name": "h264", "width": 16, "height": 16}
SOUND = {"codec_type": "audio", "name": "aac", "channels": 1}


def append(kitchen: Kitchen, name: str, *times: int) -> None:
    """Packets of these pts into the first stream."""
    number = kitchen.catalogue.get(name).stream_number(0)
    elements = [Element(ElementKind.PACKET, pts, plane_sizes=(1,)) for pts in times]
    kitchen.store.commit([PutElement(number, each, [bytes([each.pts or 0])]) for each in elements])


def copies(kitchen: Kitchen, name: str) -> Path:
    """The folder of a content's copies."""
    return kitchen.folder / "media" / "copies" / name


def test_an_equivalent_is_made_before_there_is_any_element(any_kitchen: Kitchen) -> None:
    kitchen = any_kitchen
    kitchen.make("news")

    kitchen.run("makeEquivalent", "news", "all", "first-last")

    url = copies(kitchen, "news").as_uri()
    assert kitchen.relations.equivalents.query("news") == [url]
    assert kitchen.catalogue.get(url).format == {"type": "format", "url": url}
    assert json.loads((copies(kitchen, "news") / "format.json").read_text())["streams"] == []


def test_it_follows_the_changes_of_its_content(kitchen: Kitchen) -> None:
    before = kitchen.make("news", VIDEO)
    kitchen.run("makeEquivalent", "news", "all", "first-last")
    added = {"type": "Stream", "index": 1, "time_base": [1, 48_000], "codecpar": SOUND}
    changed = replace(before, streams=(*before.streams, added), format={**before.format, "bit_rate": 5})
    kitchen.catalogue.change(changed, before.revision)

    for _ in range(2):
        kitchen.run("makeEquivalent", "news", "all", "first-last")

    twin = kitchen.catalogue.get(copies(kitchen, "news").as_uri())
    assert (twin.streams, twin.format["bit_rate"], twin.revision) == (changed.streams, 5, 2)
    kept = json.loads((copies(kitchen, "news") / "format.json").read_text())
    assert [stream["codecpar"]["name"] for stream in kept["streams"]] == ["h264", "aac"]


def test_an_equivalent_gets_no_equivalent(kitchen: Kitchen) -> None:
    kitchen.make("news", VIDEO)
    kitchen.run("makeEquivalent", "news", "all", "first-last")
    url = copies(kitchen, "news").as_uri()

    kitchen.run("makeEquivalent", url, "all", "first-last")

    assert kitchen.catalogue.names() == ["news", url]


def test_a_content_that_is_not_there_is_told(kitchen: Kitchen) -> None:
    with pytest.raises(NotFoundError, match="no content 'news'"):
        kitchen.run("makeEquivalent", "news", "all", "first-last")


def test_descriptions_are_copied_with_the_payload(kitchen: Kitchen, film_file: Path) -> None:
    kitchen.bring_in("film", film_file)

    kitchen.run("storeCopy", "film", "video", "0s-0.5s")

    folder = copies(kitchen, "film") / "stream_0"
    given: dict[int | None, MediaElement] = {item.element.pts: item for item in kitchen.media("film")}
    described = sorted(folder.glob("*.json"))
    assert len(described) == 13
    for path in described:
        document = json.loads(path.read_text())
        item = given[document["pts"]]
        assert document["dts"] == item.element.dts
        assert bool(document.get("flags", {}).get("KEY")) == item.element.is_key
        assert (folder / f"{path.stem}_0.raw").read_bytes() == bytes(item.planes[0])


def test_only_what_is_new_is_copied_after_a_batch(any_kitchen: Kitchen) -> None:
    kitchen = any_kitchen
    kitchen.make("news", VIDEO)
    append(kitchen, "news", 0, 1, 2)
    kitchen.run("storeCopy", "news", "0", "first-last", newOnly=True)
    kitchen.passed = 0
    append(kitchen, "news", 9, 4)

    kitchen.run("storeCopy", "news", "0", "first-last", newOnly=True)
    kitchen.run("storeCopy", "news", "0", "first-last", newOnly=True)

    assert kitchen.passed == 2
    names = {path.name for path in (copies(kitchen, "news") / "stream_0").glob("*.raw")}
    assert names == {f"packet_{pts}_0.raw" for pts in (0, 1, 2, 4, 9)}


def test_what_was_copied_comes_back_whole(kitchen: Kitchen, film_file: Path) -> None:
    kitchen.bring_in("film", film_file)
    before = [bytes(item.planes[0]) for item in kitchen.media("film")]
    kitchen.run("storeCopy", "film", "all", "first-last")
    kitchen.drop_payloads("film")
    assert kitchen.media("film") == []

    assert kitchen.get("film", "video", "0s-4s")

    assert [bytes(item.planes[0]) for item in kitchen.media("film")] == before
