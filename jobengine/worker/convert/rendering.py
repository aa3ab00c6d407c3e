"""Elements of renditions, made just in time of their source: decoded, encoded as pictures, or re-packed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import LookUp, pts_of
from jobengine.contents.relations import Relations
from jobengine.contents.relations.renditions import Making
from jobengine.contents.relations.stream_map import read_stream_map
from jobengine.errors import NotFoundError
from jobengine.model.beam.streams import kind_of_stream, time_base_of
from jobengine.model.element import Element, ElementKind
from jobengine.model.media_reference import Direct
from jobengine.model.recipe import Buffer, Loaded
from jobengine.worker.convert.equivalent_payloads import EquivalentPayloads
from jobengine.worker.convert.sources import StoreSource
from jobengine.worker.convert.task import OpenTask

Json = Any
Made = tuple[Element, Sequence[Buffer]]
_PICTURES = {"mjpeg": "jpeg", "png": "png"}


class Rendering:
    """Makes single elements. What it can't make is None: sound, and codecs whose pictures need others."""

    def __init__(self, task: OpenTask, relations: Relations, equivalents: EquivalentPayloads) -> None:
        self._task = task
        self._relations = relations
        self._equivalents = equivalents
        self._look_up = LookUp(task.store)

    def make(self, target: Content, index: int, wanted: Direct) -> Made | None:
        """The element with its planes, if its content is a rendition whose elements are made here."""
        noted = self._relations.renditions.of(target.name)
        if noted is None or noted.making is Making.PROVIDED:
            return None
        original = self._task.catalogue.get(noted.source)
        picks = read_stream_map(noted.stream_map, original, target).get(index)
        if picks is not None and (len(picks) > 1 or picks[0].channel is not None):
            return None
        from_index = index if picks is None else picks[0].stream
        if from_index >= len(original.streams) or original.streams[from_index] is None:
            return None
        source = StoreSource(self._task.store, original, from_index, "first-last")
        return self._made(source, target.streams[index] or {}, wanted)

    def _made(self, source: StoreSource, target: Mapping[str, Json], wanted: Direct) -> Made | None:
        ours, theirs = time_base_of(target), time_base_of(source.stream)
        if ours is None or theirs is None:
            return None
        pts = round(wanted.pts * ours / theirs)
        if wanted.kind is ElementKind.FRAME:
            return self._decoded(source, pts, wanted.pts)
        name = (target.get("codecpar") or {}).get("name")
        if name == (source.stream.get("codecpar") or {}).get("name"):
            return self._packed(source, pts, wanted.pts)
        return self._picture(source, target, pts, wanted.pts) if name in _PICTURES else None

    def _packed(self, source: StoreSource, pts: int, wanted_pts: int) -> Made | None:
        """The same packet under another roof."""
        found = self._look_up.direct(source.number, ElementKind.PACKET, pts)
        if found is None:
            return None
        planes = self._filled(source, Loaded(found, self._task.store.payloads([found])[0])).planes
        element = found.element
        sizes = element.plane_sizes
        made = Element(ElementKind.PACKET, wanted_pts, is_key=element.is_key, plane_sizes=sizes)
        return None if planes is None else (made, planes)

    def _decoded(self, source: StoreSource, pts: int, wanted_pts: int) -> Made | None:
        from jobengine.media.raw_planes import decoded_at, frame_element
        from jobengine.worker.convert.media_elements import media_elements

        if kind_of_stream(source.stream) != "video" or not self._has(source, pts):
            return None
        given = media_elements(source, self._from_key(source, pts), ElementKind.PACKET)
        frame = decoded_at(source.stream, given, pts)
        return None if frame is None else frame_element(frame, wanted_pts)

    def _picture(
        self, source: StoreSource, target: Mapping[str, Json], pts: int, wanted_pts: int
    ) -> Made | None:
        from jobengine.media.picture import PictureForm, picture_at
        from jobengine.worker.convert.media_elements import media_elements

        if kind_of_stream(source.stream) != "video" or not self._has(source, pts):
            return None
        codec = target.get("codecpar") or {}
        form = PictureForm(_PICTURES[codec["name"]], codec.get("width"), codec.get("height"))  # type: ignore[arg-type]
        given = media_elements(source, self._from_key(source, pts), ElementKind.PACKET)
        data = picture_at(source.stream, given, pts, form).data
        element = Element(ElementKind.PACKET, wanted_pts, wanted_pts, is_key=True, plane_sizes=(len(data),))
        return element, [data]

    def _has(self, source: StoreSource, pts: int) -> bool:
        """Whether the source has a packet there: nothing is made where there was nothing."""
        return self._look_up.direct(source.number, ElementKind.PACKET, pts) is not None

    def _from_key(self, source: StoreSource, pts: int) -> Iterator[Loaded]:
        for item in source.from_key(pts):
            yield self._filled(source, item)

    def _filled(self, source: StoreSource, item: Loaded) -> Loaded:
        """An element of the source whose payload may have to come from the source's equivalents."""
        if item.planes is not None:
            return item
        planes = self._equivalents.find(source.content, source.index, item.stored)
        if planes is None:
            text = f"the source {source.content!r} has lost the payload at {pts_of(item.stored)} too"
            raise NotFoundError(text)
        return Loaded(item.stored, planes)
