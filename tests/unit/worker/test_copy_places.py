"""Copies lie below the media roots or the URLs that the operator allows, whatever a content is called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath

import pytest

from jobengine.errors import MediaError
from jobengine.model.element import ElementKind
from jobengine.model.roots import MediaRoots
from jobengine.worker.convert import copy_places
from jobengine.worker.convert.copy_places import CopyPlaces, payload_path
from tests.waiting import PATIENCE_S

PATH = payload_path(1, ElementKind.PACKET, -42, 0)


class _Objects(BaseHTTPRequestHandler):
    """An object store: what is put can be got. Connections last as long as the client likes."""

    protocol_version = "HTTP/1.1"
    kept: dict[str, bytes]
    clients: list[tuple[str, int]]

    def setup(self) -> None:
        super().setup()
        self.clients.append(self.client_address)

    def do_PUT(self) -> None:
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(201, b"")

    def do_GET(self) -> None:
        data = self.kept.get(self.path)
        self._answer(404 if data is None else 200, data or b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def handler() -> type[_Objects]:
    """What the object store of this test keeps, and who came."""
    return type("Objects", (_Objects,), {"kept": {}, "clients": []})


@pytest.fixture
def objects(handler: type[_Objects]) -> Iterator[str]:
    """The URL of an object store."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/bucket"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def roots(tmp_path: Path) -> MediaRoots:
    return MediaRoots(PurePosixPath(tmp_path / "media"))


@pytest.fixture
def places(roots: MediaRoots) -> Iterator[CopyPlaces]:
    """Places below the media roots only."""
    with closing(CopyPlaces(roots, ())) as opened:
        yield opened


@pytest.fixture
def far_places(roots: MediaRoots, objects: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CopyPlaces]:
    """Places in the object store too."""
    monkeypatch.setattr(copy_places, "TIMEOUT_S", PATIENCE_S)
    with closing(CopyPlaces(roots, [objects])) as opened:
        yield opened


@pytest.mark.parametrize(
    "name", ["news", "a b/c?d", "..", ".", "../../etc/passwd", "file:///x", "\u00e4\u00df"]
)
def test_a_copy_in_a_folder_is_found_again_by_its_url(places: CopyPlaces, tmp_path: Path, name: str) -> None:
    place = places.new("copies", name)
    place.write(PATH, [b"ab", memoryview(b"cd")])

    found = places.known(place.url)

    assert found is not None
    assert found.read(PATH) == b"abcd"
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.parts[: len(tmp_path.parts) + 2] == (*tmp_path.parts, "media", "copies")


def test_a_copy_replaces_the_one_before_it(places: CopyPlaces) -> None:
    place = places.new("copies", "news")
    place.write(PATH, [b"long before"])
    place.write(PATH, [b"now"])

    assert place.read(PATH) == b"now"
    assert place.read(payload_path(1, ElementKind.FRAME, -42, 0)) is None


@pytest.mark.parametrize("base", ["/etc", "../out", "copies/../../out"])
def test_a_folder_outside_the_roots_is_refused(places: CopyPlaces, base: str) -> None:
    with pytest.raises(MediaError):
        places.new(base, "news")


def test_a_link_that_leads_out_is_refused(places: CopyPlaces, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "copies").symlink_to("/tmp")

    with pytest.raises(MediaError):
        places.new("copies", "news").write(PATH, [b"x"])


def test_an_object_store_keeps_copies_too(
    far_places: CopyPlaces, objects: str, handler: type[_Objects]
) -> None:
    place = far_places.new(objects, "a b/c")
    place.write(PATH, [b"ab", b"cd"])

    found = far_places.known(place.url)

    assert found is not None
    assert found.read(PATH) == b"abcd"
    assert found.read("stream_0/packet_1_0.raw") is None
    assert len(handler.clients) == 1, "all requests of a task share a connection"


@pytest.mark.parametrize(
    "url",
    [
        "http://store.example.evil.com/bucket/a",
        "http://store.example/bucket2/a",
        "http://store.example/a",
        "https://store.example/bucket/a",
        "http://store.example:81/bucket/a",
        "http://user@store.example/bucket/a",
        "http://store.example/bucket/../a",
        "http://store.example/bucket/%2e%2e/a",
        "http://store.example/bucket/a?x=1",
        "http://169.254.169.254/latest",
    ],
)
def test_a_url_that_the_operator_did_not_allow_is_refused(roots: MediaRoots, url: str) -> None:
    places = CopyPlaces(roots, ["http://store.example/bucket"])

    with pytest.raises(MediaError, match="allows"):
        places.known(url)


@pytest.mark.parametrize("name", ["news", "urn:uuid:1", "ftp://host/x", "file://host/x"])
def test_other_names_are_no_places(places: CopyPlaces, name: str) -> None:
    assert places.known(name) is None
