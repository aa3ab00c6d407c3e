"""Recipes run in the test's own thread, on contents that were brought in from real files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.look_up import LookUp
from jobengine.contents.relations import Relations
from jobengine.media.demux import Demuxer
from jobengine.media.media_element import MediaElement
from jobengine.media.ordering import in_decode_order
from jobengine.media.picture_span import pictures_between
from jobengine.media.sound_span import sound_between
from jobengine.model.convert import ConvertSpec, read_parameters
from jobengine.model.element import PTS_MAX, PTS_MIN, StoredElement
from jobengine.model.media_reference import Direct, parse_reference
from jobengine.model.recipe import Result
from jobengine.model.recipes import find_recipe
from jobengine.model.roots import MediaRoots
from jobengine.ports.contents import ContentStore, DropPayloads, PutElement
from jobengine.ports.work import WorkContext
from jobengine.worker.convert.task import OpenTask

Json = Any
Pixels = np.ndarray[Any, np.dtype[np.int64]]


class Kitchen:
    """A store with contents, and recipes to be run on them. Files are below ``folder``."""

    def __init__(
        self, store: ContentStore, clock: Clock, folder: Path, copy_urls: tuple[str, ...] = ()
    ) -> None:
        self.store = store
        self.folder = folder
        self.clock = clock
        self.catalogue = Catalogue(store, clock)
        self.relations = Relations(store, self.catalogue)
        self.passed = 0
        roots = MediaRoots(PurePosixPath(folder / "media"))
        self._context = WorkContext("job", "host", roots, results=str(folder), copy_urls=copy_urls)

    def bring_in(self, name: str, film: Path) -> Content:
        """Every packet of a file as a content."""
        with Demuxer(film) as media:
            content = self.catalogue.create(name, {**media.format, "url": name}, media.streams)
            self.store.commit(
                [
                    PutElement(content.stream_number(item.stream_index), item.element, item.planes)
                    for item in media.elements()
                ]
            )
        return content

    def make(self, name: str, *codecs: Mapping[str, Json], base: tuple[int, int] = (1, 90_000)) -> Content:
        """An empty content with a stream for each of these CodecParameters."""
        streams = [
            {"type": "Stream", "index": index, "time_base": list(base), "codecpar": dict(codec)}
            for index, codec in enumerate(codecs)
        ]
        return self.catalogue.create(name, {"type": "format", "url": name}, streams)

    def run(self, recipe: str, content: str, stream: str, reference: str, **parameters: Json) -> Result:
        """Run a recipe on one source."""
        source = [{"content": content, "stream": stream, "reference": reference}]
        spec = ConvertSpec.model_validate({"recipe": recipe, "source": source, "parameters": parameters})
        found = find_recipe(recipe)
        with closing(OpenTask(spec, self.store, self._context, self._new_file, self.clock)) as task:
            task.let_pass(self._count)
            return found().run(task, read_parameters(found, spec.parameters))

    def get(self, content: str, stream: str, reference: str, **parameters: Json) -> bool:
        """Have a payload got back or made; whether that came of it."""
        return not self.run("retrieveCopy", content, stream, reference, **parameters).is_declined

    def elements(self, name: str, index: int = 0) -> list[StoredElement]:
        """What a stream holds, by pts."""
        return self.store.range(self.catalogue.get(name).stream_number(index), PTS_MIN, PTS_MAX)

    def element(self, name: str, index: int, reference: str) -> StoredElement:
        """The one element of a direct reference."""
        wanted = parse_reference(reference)
        assert isinstance(wanted, Direct)
        number = self.catalogue.get(name).stream_number(index)
        found = LookUp(self.store).direct(number, wanted.kind, wanted.pts)
        assert found is not None
        return found

    def drop_payloads(self, name: str, first: int = PTS_MIN, last: int = PTS_MAX) -> None:
        """Let payloads go, as time would."""
        content = self.catalogue.get(name)
        numbers = [content.stream_number(index) for index in range(len(content.streams))]
        self.store.commit([DropPayloads(number, first, last) for number in numbers])

    def document(self, name: str, index: int = 0) -> Mapping[str, Json]:
        """The document of a stream."""
        return {**(self.catalogue.get(name).streams[index] or {}), "index": index}

    def media(self, name: str, index: int = 0) -> list[MediaElement]:
        """What a stream holds, with its payloads, in order of decoding."""
        found = self.elements(name, index)
        loaded = zip(found, self.store.payloads(found), strict=True)
        given = [MediaElement(index, stored.element, planes) for stored, planes in loaded if planes]
        return list(in_decode_order(given))

    def shown(self, name: str, index: int = 0) -> dict[float, Pixels]:
        """The luma of every picture of a stream by its time in seconds, decoded."""
        document = self.document(name, index)
        base = Fraction(*document["time_base"])
        frames = pictures_between(document, self.media(name, index), PTS_MIN, PTS_MAX)
        return {
            float((frame.pts or 0) * base): frame.reformat(format="gray").to_ndarray().astype(int)
            for frame in frames
        }

    def heard(self, name: str, index: int, rate: int, first: int, end: int) -> np.ndarray[Any, Any]:
        """The sound of a stream from one sample to another, of shape (samples, channels)."""
        return sound_between(self.document(name, index), self.media(name, index), rate, first, end).samples

    def _new_file(self, suffix: str) -> Path:
        return self.folder / f"result{suffix}"

    def _count(self, count: int) -> None:
        self.passed += count
