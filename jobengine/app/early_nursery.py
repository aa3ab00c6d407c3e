"""The first nursery of a service: the main process starts it as soon as its own imports are done, beside
those of the engine. So workers wait for jobs soon behind the first answer, and not two seconds later."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from jobengine.messaging.addresses import addresses
from jobengine.messaging.worker_messages import Keep
from jobengine.settings import Settings
from jobengine.worker.nursery_process import NurseryProcess, start_nursery


def keep_of(settings: Settings) -> Keep:
    """What a nursery of this service keeps ready."""
    ends = addresses(settings.data)
    return Keep(
        spares=settings.engine.spare_workers,
        address=ends.workers,
        logs=str(settings.log_folder),
        rehearsals=ends.rehearsals,
        contents=settings.contents_url,
    )


def start_early(settings: Settings) -> NurseryProcess:
    """Start one for an engine to come, and see to it that its end leaves nothing; returns at once.

    The thread that calls this must live as long as the service.
    """
    nursery = start_nursery(keep_of(settings))
    threading.Thread(target=_reap, args=(nursery.process_id,), name="nursery", daemon=True).start()
    return nursery


def _reap(process_id: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(process_id, 0)
