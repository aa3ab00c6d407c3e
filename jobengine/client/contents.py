"""The contents of a service: make, find, read and write them; bring files in and take them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jobengine.client.http import Http, path
from jobengine.client.mixed import Buffer, read_mixed
from jobengine.model.beam.batch import Body
from jobengine.model.beam.element_lines import ENDING

if TYPE_CHECKING:
    from jobengine.client.content_export import Exported
    from jobengine.client.content_import import Imported

Json = Any
PLACE = "/beams"
PAGE_SIZE = 1000
ALL = "all"


@dataclass(frozen=True, slots=True)
class Counts:
    """What a batch did: elements that are new, that took another's place, that were there already."""

    created: int
    replaced: int
    repeated: int


class Contents:
    """``client.contents``. A stream is named as in the Beam API: ``0``, ``video``, ``audio_1``, ``all``."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self, filter: str | None = None) -> Iterator[str]:
        """The names of all contents in order of their creation, page by page as they are taken."""
        params: dict[str, Json] | None = {"filter": filter, "limit": PAGE_SIZE}
        yield from self._pages(PLACE, params)

    def create(self, document: Mapping[str, Json]) -> Json:
        """Make a content of a Format document; ``url`` is its name. Raises ConflictError if it is taken."""
        return self._http.request("POST", PLACE, body=dict(document)).json()

    def get(self, name: str) -> Json:
        """The Format document of a content. Raises NotFoundError."""
        return self._http.get(_whole(name))

    def stream(self, name: str, stream: str) -> Json:
        """The Stream document of a stream. Raises NotFoundError."""
        return self._http.get(path("beams", name, stream))

    def change_stream(self, name: str, stream: str, patch: Mapping[str, Json]) -> Json:
        """Merge ``patch`` into a stream; ``{"closed": True}`` says that no element will follow."""
        place = path("beams", name, stream)
        return self._http.request("PATCH", place, body=dict(patch)).json()

    def delete(self, name: str) -> None:
        """Remove a content with everything in it. Raises NotFoundError."""
        self._http.request("DELETE", _whole(name))

    def size(self, name: str) -> Json:
        """What a content holds: streams, elements, payloadBytes. Needs the role that may delete it."""
        return self._http.request("DELETE", _whole(name), params={"dry_run": "true"}).json()

    def elements(
        self, name: str, stream: str, reference: str, to_key: bool = False, with_ids: bool = False
    ) -> Iterator[Json]:
        """The Packet and Frame documents that a media reference finds, page by page as they are taken.

        ``to_key``: beginning at the key element at or before. Raises NotFoundError if there are none.
        """
        params = {"limit": PAGE_SIZE, "key": _flag(to_key), "ids": _flag(with_ids)}
        yield from self._pages(path("beams", name, stream, reference), params)

    def elements_with_payload(
        self, name: str, stream: str, reference: str, to_key: bool = False
    ) -> Iterator[tuple[Json, Sequence[Buffer]]]:
        """As `elements`, each with the planes of its payload; none where it is not kept (any more)."""
        place = path("beams", name, stream, reference)
        params: dict[str, Json] | None = {"limit": PAGE_SIZE, "key": _flag(to_key)}
        while True:
            headers = {"Accept": "multipart/mixed"}
            response = self._http.request("GET", place, params=params, headers=headers)
            yield from read_mixed(response)
            if "next" not in response.links:
                return
            place, params = response.links["next"]["url"], None

    def remove(self, name: str, stream: str, reference: str) -> int:
        """Remove elements by kind and pts, by pts or by time, also a range, or all; how many they were.

        Raises NotFoundError if there are none.
        """
        return int(self._http.request("DELETE", path("beams", name, stream, reference)).json()["deleted"])

    def payload(self, name: str, stream: str, reference: str) -> bytes:
        """The payload of one element, named as ``packet_P`` or ``frame_P``; a frame's planes in a row."""
        return self._http.request("GET", path("beams", name, stream, f"{reference}.raw")).content

    def put(
        self,
        name: str,
        stream: str,
        batch: Body,
        mode: Literal["append", "replace", "create"] = "replace",
        expires_s: float | None = None,
    ) -> Counts:
        """Store a batch of elements: all of them or, if it raises, none."""
        place, params = path("beams", name, stream, "elements"), {"mode": mode, "expires_s": expires_s}
        repeat = mode != "create"
        answer = self._http.put(place, batch.body(), batch.media_type, params, repeat).json()
        return Counts(answer["created"], answer["replaced"], answer["repeated"])

    def import_file(
        self, file: Path, name: str | None = None, on_progress: Callable[[int, int], None] | None = None
    ) -> Imported:
        """Bring a media file in: its packets are copied, nothing is encoded. See `content_import`.

        A file of lines (``.ndjson``), as re-streaming jobs write it, gives the elements that it was made of.
        """
        if file.suffix.lower() == ENDING:
            from jobengine.client.line_import import import_lines

            return import_lines(self, file, name or file.stem, on_progress)
        from jobengine.client.content_import import import_file

        return import_file(self, file, name or file.name, on_progress)

    def export_file(
        self,
        name: str,
        file: Path,
        streams: Sequence[str] = (),
        range: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Exported:
        """Write a content, or a part of it, as a media file. See `content_export`."""
        from jobengine.client.content_export import ExportWanted, export_file

        return export_file(self, ExportWanted(name, tuple(streams), range), file, on_progress)

    def _pages(self, place: str, params: dict[str, Json] | None) -> Iterator[Json]:
        while True:
            response = self._http.request("GET", place, params=params)
            found = response.json()
            yield from found if isinstance(found, list) else [found]
            if "next" not in response.links:
                return
            place, params = response.links["next"]["url"], None


def _whole(name: str) -> str:
    """The address of a content itself, of which a service drops one ``.json`` at the end."""
    return path("beams", f"{name}.json" if name.endswith(".json") else name)


def _flag(value: bool) -> str | None:
    return "true" if value else None
