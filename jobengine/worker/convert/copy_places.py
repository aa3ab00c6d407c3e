"""Where copies of payloads lie: folders below the media roots, or object stores that the operator allowed.

A place is a URL, and so may be the name of a content that is the equivalent of another:
``file:///data/media/copies/news`` or ``https://store.example/bucket/news``. Below it a payload lies at
``stream_<index>/<packet|frame>_<pts>_<plane>.raw``, the description of its element at the same without the
plane and with ``.json``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

import httpx

from jobengine.errors import MediaError
from jobengine.ids import new_id
from jobengine.media.places import find_source, find_target
from jobengine.model.element import ElementKind
from jobengine.model.push import is_below
from jobengine.model.roots import MediaRoots
from jobengine.tls_trust import authorities_for

TIMEOUT_S = 10.0
MAX_BYTES = 1 << 30
"""What is read of one payload at most; larger ones do not come back."""
MAX_UNREAD_BYTES = 65536
"""What is read at most of an answer that nobody wants, such as a server's page about a fault."""
_LIMITS = httpx.Limits(keepalive_expiry=2.0)
"""Idle connections end before any usual server ends them, so that no request meets one that is closing."""


class CopyPlace(Protocol):
    """One place. ``path`` has plain names between its slashes. Raises MediaError when it can't be used."""

    @property
    def url(self) -> str:
        """Its URL."""
        ...

    def write(self, path: str, data: Sequence[bytes | bytearray | memoryview]) -> None:
        """Keep ``data``, whole or not at all, in place of what was there."""
        ...

    def read(self, path: str) -> bytes | None:
        """What lies there; None if nothing does."""
        ...


def payload_path(index: int, kind: ElementKind, pts: int, plane: int) -> str:
    """Where a plane of an element lies below the place of its content."""
    return f"stream_{index}/{kind.name.lower()}_{pts}_{plane}.raw"


def description_path(index: int, kind: ElementKind, pts: int) -> str:
    """Where the document of an element lies below the place of its content."""
    return f"stream_{index}/{kind.name.lower()}_{pts}.json"


def folder_name(content: str) -> str:
    """The name of a content as one part of a path, whatever its characters are."""
    name = quote(content, safe="")
    return name.replace(".", "%2E") if not name.strip(".") else name


class CopyPlaces:
    """The places that one task may use, and the connections to their servers. For one thread.

    Whoever makes it closes it.
    """

    def __init__(self, roots: MediaRoots, allowed: Sequence[str]) -> None:
        self._roots = roots
        self._allowed = allowed
        self._clients: dict[str, httpx.Client] = {}

    def new(self, base: str, content: str) -> CopyPlace:
        """The place of a content below ``base``, a folder or URL. Raises MediaError if it is not allowed."""
        name = folder_name(content)
        if "://" in base:
            return self._server(f"{base.rstrip('/')}/{quote(name, safe='')}")
        return FolderPlace(Path(find_target(self._roots, f"{base.rstrip('/')}/{name}")), self._roots)

    def known(self, name: str) -> CopyPlace | None:
        """The place that a content's name is the URL of; None for other names. Raises MediaError."""
        parts = urlsplit(name)
        if parts.scheme in ("http", "https"):
            return self._server(name)
        if parts.scheme == "file" and not parts.netloc:
            return FolderPlace(Path(find_target(self._roots, unquote(parts.path))), self._roots)
        return None

    def _server(self, url: str) -> UrlPlace:
        if not any(is_below(url, base) for base in self._allowed):
            raise MediaError(f"{url} is not below a URL that the operator allows (convert.copy_urls)")
        return UrlPlace(url, self._client(url))

    def _client(self, url: str) -> httpx.Client:
        """One for all servers of a scheme: to make one for TLS takes tens of milliseconds."""
        scheme = urlsplit(url).scheme
        if scheme not in self._clients:
            trusted = authorities_for(url, may_lead_to_tls=False)
            self._clients[scheme] = httpx.Client(timeout=TIMEOUT_S, limits=_LIMITS, verify=trusted)
        return self._clients[scheme]

    def close(self) -> None:
        """End the connections."""
        for client in self._clients.values():
            client.close()


class FolderPlace:
    """A folder."""

    def __init__(self, folder: Path, roots: MediaRoots) -> None:
        self._folder = folder
        self._roots = roots

    @property
    def url(self) -> str:
        return self._folder.as_uri()

    def write(self, path: str, data: Sequence[bytes | bytearray | memoryview]) -> None:
        target = find_target(self._roots, str(self._folder / path))
        begun = target.with_name(f".{target.name}.{new_id()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with begun.open("xb") as file:
                    file.writelines(data)
                    file.flush()
                    os.fsync(file.fileno())
                begun.replace(target)
            finally:
                begun.unlink(missing_ok=True)
        except OSError as error:
            raise MediaError(f"{target} can't be written ({error.strerror})") from error

    def read(self, path: str) -> bytes | None:
        source = Path(find_source(self._roots, str(self._folder / path)))
        try:
            return source.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MediaError(f"{source} can't be read ({error.strerror})") from error


class UrlPlace:
    """A server that keeps what is put, as WebDAV or before an object store. Redirects are not followed."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self._url = url.rstrip("/")
        self._client = client

    @property
    def url(self) -> str:
        return self._url

    def write(self, path: str, data: Sequence[bytes | bytearray | memoryview]) -> None:
        with self._asked("PUT", path, b"".join(data)) as answer:
            if not answer.is_success:
                raise MediaError(
                    f"{self._url}/{path} can't be written: its server answers {answer.status_code}"
                )

    def read(self, path: str) -> bytes | None:
        with self._asked("GET", path, None) as answer:
            if answer.status_code in (404, 410):
                return None
            if answer.status_code != 200:
                raise MediaError(f"{self._url}/{path} can't be read: its server answers {answer.status_code}")
            return self._body(answer, path)

    def _body(self, answer: httpx.Response, path: str) -> bytes:
        body = bytearray()
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > MAX_BYTES:
                raise MediaError(f"{self._url}/{path} has more than {MAX_BYTES} bytes, so it can't be a copy")
        return bytes(body)

    @contextmanager
    def _asked(self, method: str, path: str, data: bytes | None) -> Iterator[httpx.Response]:
        try:
            with self._client.stream(method, f"{self._url}/{path}", content=data) as answer:
                yield answer
                _read_rest(answer)
        except httpx.HTTPError as error:
            raise MediaError(f"{self._url}/{path} can't be reached ({error})") from error


def _read_rest(answer: httpx.Response) -> None:
    """Leave the connection to the next request, unless much is still to come."""
    if not answer.is_stream_consumed:
        for _ in answer.iter_raw():
            if answer.num_bytes_downloaded > MAX_UNREAD_BYTES:
                break
