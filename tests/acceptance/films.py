"""A short film in a service's contents, and where it came from."""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path

from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.opening import open_store
from jobengine.media.demux import Demuxer
from jobengine.ports.contents import PutElement
from tests.services import Service

SECONDS = 3
_OPTIONS = [
    *["-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={SECONDS}"],
    *["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={SECONDS}"],
    *[
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-bf",
        "2",
        "-g",
        "25",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
    ],
]


def make_film(path: Path) -> Path:
    """Three seconds of H.264 with B-frames, a key frame each second, and AAC."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *_OPTIONS, str(path)], check=True)
    return path


def contents_url(service: Service) -> str:
    """Where a running service keeps its contents."""
    return service.environment.get("JOBENGINE_CONTENTS__URL") or (service.data / "contents").as_uri()


def bring_in(service: Service, film: Path, name: str, expires_us: int | None = None) -> Content:
    """Put every packet of a file into a content of a running service."""
    with closing(open_store(contents_url(service))) as store, Demuxer(film) as media:
        content = Catalogue(store, SystemClock()).create(name, {**media.format, "url": name}, media.streams)
        store.commit(
            [
                PutElement(
                    content.stream_number(item.stream_index), item.element, item.planes, expires_us=expires_us
                )
                for item in media.elements()
            ]
        )
    return content
