"""Keyframes of the dialect: found by time, fetched with metadata and payload."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from flask import Response
from werkzeug.exceptions import NotImplemented as NotImplementedHere

from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.sources import find_stream_of
from jobengine.errors import MalformedError, MediaError, NotFoundError
from jobengine.messaging.sockets import savant_library
from jobengine.messaging.sockets.codecs import encoder
from jobengine.model.document import read
from jobengine.model.element import Gap, StoredElement
from jobengine.model.message import message_of
from jobengine.model.replay.query import FindQuery
from jobengine.ports.contents import Buffer
from jobengine.ports.sink import SinkStream
from jobengine.rest.api import Call, json_response
from jobengine.rest.body import read_body
from jobengine.rest.parameters import NoQuery
from jobengine.rest.replay.shapes import KeyframeQuery
from jobengine.rest.services import HttpServices

PAGE = 1000
LAST_MS = 2**48 - 1
"""The last moment, in milliseconds since the Unix epoch, that an id of version 7 can tell."""


class KeyframeRoutes:
    """Reads of the contents store."""

    def __init__(self, services: HttpServices) -> None:
        self._store = services.contents
        self._catalogue = Catalogue(services.contents, services.clock)
        self._limit = services.settings.http.max_document_bytes

    def find(self, call: Call[NoQuery]) -> Response:
        """Keyframes of a source in a window of time, oldest first.

        Times are whole seconds; the second `to` counts as a whole. To the millisecond of the ids: nothing
        outside of the window is found.
        """
        value, _ = read_body(self._limit)
        query = read(FindQuery, value)
        first = (query.from_ or 0) * 1000
        last = LAST_MS if query.to is None else query.to * 1000 + 999
        found: list[str] = []
        for element in self._keys(query.source_id, min(first, LAST_MS)):
            identity = element.element.element_id
            made_ms = int.from_bytes(identity[:6])
            if made_ms > last or len(found) == query.limit:
                break
            if made_ms >= first:
                found.append(str(UUID(bytes=identity)))
        return json_response({"keyframes": [query.source_id, found]})

    def fetch(self, call: Call[KeyframeQuery]) -> Response:
        """A keyframe: its metadata, then its payload, each a part of a multipart answer."""
        try:
            identity = UUID(call.path["uuid"])
        except ValueError:
            raise MalformedError(f"{call.path['uuid']!r} is not a UUID") from None
        source = call.query.source_id
        content, index = self._stream_of(source)
        number = content.stream_number(index)
        stored = self._store.by_id(number, identity.bytes)
        if stored is None or not stored.element.is_key or message_of(stored.element) is not None:
            raise NotFoundError(f"{identity} is not a keyframe of {source!r}")
        planes = self._store.payloads([stored])[0] or ()
        stream = SinkStream(source, content.format, content.streams[index] or {})
        return _multipart(_metadata(stored, planes, stream, call.query.metadata_format), planes)

    def _keys(self, source: str, first_ms: int) -> Iterator[StoredElement]:
        """Key elements from the last one before a moment on, in order of arrival."""
        try:
            content, index = self._stream_of(source)
        except NotFoundError:
            return
        number = content.stream_number(index)
        begin = self._store.key_by_id(number, first_ms.to_bytes(6) + bytes(10))
        sequence = begin.sequence if begin is not None else 0
        while entries := self._store.scan(number, sequence, PAGE):
            for entry in entries:
                if not isinstance(entry, Gap) and entry.element.is_key:
                    yield entry
            last = entries[-1]
            sequence = (last.last_sequence if isinstance(last, Gap) else last.sequence) + 1

    def _stream_of(self, source: str) -> tuple[Content, int]:
        name, index = find_stream_of(self._store, self._catalogue, source)
        content = self._catalogue.find(name)
        if content is None or index >= len(content.streams) or content.streams[index] is None:
            raise NotFoundError(f"there is no source {source!r}")
        return content, index


def _metadata(
    stored: StoredElement, planes: Sequence[Buffer], stream: SinkStream, metadata_format: str
) -> tuple[str, bytes]:
    try:
        record = bytes(encoder("savant", stream).element(stored.element, planes)[1])
        if metadata_format == "native":
            return "application/x-protobuf", record
        return "application/json", savant_library.load(record).as_video_frame().json.encode()
    except MediaError as error:
        raise NotImplementedHere(error.detail) from error


def _multipart(metadata: tuple[str, bytes], planes: Iterable[Buffer]) -> Response:
    boundary = f"savant-frame-{secrets.token_hex(16)}"
    media_type, record = metadata
    pieces: list[bytes] = []
    parts = [(media_type, 'name="metadata"', record)]
    parts += [
        ("application/octet-stream", f'name="data"; index="{index}"', bytes(plane))
        for index, plane in enumerate(planes)
    ]
    for kind, disposition, data in parts:
        head = (
            f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Disposition: inline; {disposition}\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        pieces += [head.encode(), data, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return Response(b"".join(pieces), content_type=f"multipart/mixed; boundary={boundary}")
