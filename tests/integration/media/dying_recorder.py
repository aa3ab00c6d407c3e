"""A process that records into a content and is killed: ``python -m … FOLDER READER SINK SAMPLES``."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path, PurePosixPath
from typing import Any

from jobengine.model.roots import MediaRoots
from jobengine.ports.work import WorkContext
from jobengine.worker.pipe import PipeWork
from tests.integration.media.sounds import AT


def prepared(folder: Path, source: Any, sink: list[Any], form: Any = None, **context: Any) -> PipeWork:
    """A prepared work with one input and one output, on media and contents in ``folder``."""
    told: dict[str, Any] = {"job_id": "job-1", "host": "studio-1", **context}
    told.setdefault("contents", f"file://{folder / 'contents'}")
    work = PipeWork()
    specification = {
        "inputGraph": [{"name": "In", "filter": [source]}],
        "outputGraph": [{"name": "Out", "format": form, "filter": sink}],
    }
    try:
        work.prepare(
            {"pipeSpec": specification}, WorkContext(roots=MediaRoots(PurePosixPath(folder)), **told)
        )
    except BaseException:
        work.close()
        raise
    return work


def main() -> None:
    """Record so many samples and die."""
    folder, reader, sink, samples = sys.argv[1:]
    work = prepared(Path(folder), json.loads(reader), json.loads(sink))
    work.start(AT)
    work.advance(int(samples))
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
