"""A stored camera, a sink, and a real worker's runtime between them, on a clock that waiting moves."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

from jobengine.messaging.worker_messages import Changed, Passed, Resume
from jobengine.model.plan import Planned
from jobengine.worker.restream.shared_store import share
from jobengine.worker.restream.work import RestreamWork
from jobengine.worker.runtime import Runtime
from tests.unit.worker.restream.at_once import AtOnce
from tests.unit.worker.restream.sinks import RememberingSink
from tests.unit.worker.restream.streams import MILLISECONDS, StoredCamera
from tests.unit.worker.stage import Stage, planned, start

FAST = {"mode": "fast"}


class Scene(Stage):
    """Runs jobs over one stored stream, one after the other."""

    def __init__(self, folder: Path, time_base: Fraction = MILLISECONDS) -> None:
        super().__init__()
        self.camera = StoredCamera(self.clock, time_base)
        self.sink = RememberingSink(self.clock)
        self.ledger = folder / "job.delivered"
        self.work: RestreamWork | None = None
        self.first_running: datetime | None = None

    def restream(
        self, *transitions: Planned, resume: Resume | None = None, state: str = "Pending", **members: Any
    ) -> Runtime:
        """Run a job to its end; ``members`` of its specification replace a fast run over all there is."""
        spec = {
            "source": {"content": "camera"},
            "resultingStream": "vod-1",
            "sink": {"url": "dealer+connect:tcp://127.0.0.1:5555"},
            "anchor": "first",
            "pacing": FAST,
            "onIdle": "finish",
            "maxIdleMs": 50,
            **members,
        }
        self.work = RestreamWork(
            self.clock,
            lambda url: share(self.camera.store, self.clock, AtOnce()),
            lambda spec, stream, context, mark: self.sink.open(stream),
        )
        self.sink.start_ns = self.clock.monotonic_ns()
        self.link.start_ns = self.clock.monotonic_ns()
        return self.run(
            self.work,
            [start(), *transitions] if state == "Pending" else list(transitions),
            resume,
            kind="restream",
            state=state,
            description={"restreamSpec": spec},
        )

    @property
    def end(self) -> tuple[str, dict[str, Any]]:
        """The final state and what was said of it."""
        last = self.link.reports[-1]
        assert isinstance(last, Changed | Passed)
        return last.state, last.info

    @property
    def sequences(self) -> list[int]:
        """The places of the elements that were received."""
        places = []
        for element_id in self.sink.ids:
            stored = self.camera.store.by_id(self.camera.number, element_id.bytes)
            assert stored is not None
            places.append(stored.sequence)
        return places

    def context_members(self) -> dict[str, Any]:
        return {"ledger": str(self.ledger), "first_running": self.first_running}


def stop(condition: Any, position: int = 1, state: str = "Finish") -> Planned:
    """A stop condition, as a pending transition."""
    return planned(position, "Stream", state, condition=condition)


def change(position: int, **members: Any) -> Planned:
    """A change of the specification, as soon as it arrives."""
    return planned(position, "Immediate", "None", description={"restreamSpec": members})


def text(element_id: bytes) -> str:
    return str(UUID(bytes=element_id))
