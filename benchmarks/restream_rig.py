"""Stored streams for benchmarks of re-streaming, and jobs over them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.rigs import ServiceRig
from jobengine.clock import SystemClock
from jobengine.contents.catalogue import Catalogue
from jobengine.contents.opening import open_store
from jobengine.model.element import Element, ElementKind
from jobengine.ports.contents import ContentStore, PutElement


@contextmanager
def open_contents(folder: Path) -> Iterator[ContentStore]:
    """The store of the service."""
    store = open_store((folder / "contents").as_uri())
    yield store
    store.close()


def record(store: ContentStore, name: str, count: int, size: int, step_ms: float) -> None:
    """A stream of so many elements, one second to a key element, that has ended."""
    stream = {"type": "Stream", "index": 0, "time_base": [1, 1_000_000]}
    catalogue = Catalogue(store, SystemClock())
    content = catalogue.create(name, {"type": "Format"}, [stream])
    payload = os.urandom(size)
    group = max(1, min(500, 8_000_000 // size))
    for first in range(0, count, group):
        store.commit(
            [
                PutElement(content.stream_number(0), element(number, step_ms, size), [payload])
                for number in range(first, min(count, first + group))
            ]
        )
    catalogue.change(replace(content, ended=frozenset({0})), content.revision)


def element(number: int, step_ms: float, size: int) -> Element:
    """The ``number``-th element of an even stream."""
    pts = round(number * step_ms * 1000)
    return Element(ElementKind.PACKET, pts, is_key=number % 30 == 0, plane_sizes=(size,))


def submit(
    rig: ServiceRig, topic: str, content: str, url: str, terms: dict[str, Any], start: str | None = None
) -> str:
    """A job from the first element to the end of the recording, at once or at a time.

    ``terms``: its pacing, and what else its description is to say.
    """
    spec = {
        "source": {"content": content},
        "resultingStream": topic,
        "sink": {"url": url},
        "anchor": "first",
        "onIdle": "finish",
        "maxIdleMs": 200,
        "maxDeliveryMs": 60_000,
        **terms,
    }
    trigger = {"type": "Immediate", "requestedProcState": "Start"}
    if start is not None:
        trigger = {"type": "Time", "startTime": start, "requestedProcState": "Start"}
    document = {"transitions": [{"trigger": trigger, "jobDescription": {"restreamSpec": spec}}]}
    job_id: str = rig.call("POST", "/api/jobs", document)["jobId"]
    return job_id


def cancel() -> dict[str, Any]:
    return {"trigger": {"type": "Immediate", "requestedProcState": "Cancel"}}
