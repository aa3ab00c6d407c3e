"""For tests of what is built on jobengine: time that only the test moves, an engine in one process,
contents in memory.

::

    from datetime import timedelta
    from jobengine.testing import InMemoryEngine

    with InMemoryEngine() as engine:
        job_id = engine.submit({"name": "Noon", "transitions": [
            {"trigger": {"type": "Immediate", "requestedProcState": "Start"}},
            {"trigger": {"type": "Duration", "duration": 60_000, "requestedProcState": "Finish"}}]})
        engine.advance(timedelta(seconds=60))
        assert engine.state(job_id) == "Finished"

The engine, its database (SQLite in a temporary folder), the plan and the worker's runtime are the real
ones; replaced are the clock, the processes, the sockets and the media. Nothing sleeps.
"""

from jobengine.testing.clock import ManualClock
from jobengine.testing.contents.store import MemoryContents
from jobengine.testing.in_memory_engine import InMemoryEngine
from jobengine.testing.in_process_workers import InProcessWorkers
from jobengine.testing.puppet_workers import Puppet, PuppetWorkers
from jobengine.testing.sources import write_ramp, write_tone
from jobengine.testing.synthetic_work import SyntheticWork

__all__ = [
    "InMemoryEngine",
    "InProcessWorkers",
    "ManualClock",
    "MemoryContents",
    "Puppet",
    "PuppetWorkers",
    "SyntheticWork",
    "write_ramp",
    "write_tone",
]
