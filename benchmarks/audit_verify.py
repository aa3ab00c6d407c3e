"""How quickly the audit checks a history, and in how much memory.

python -m benchmarks.audit_verify [--jobs 1000] [--rows 100]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time

from jobengine.history.audit import verify
from jobengine.history.database import Database
from jobengine.history.store import SqlJobStore
from tests.contract.history.records import a_job_with_history


def main() -> None:
    """Fill an SQLite database, check it and print rows per second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/jobs.db") as database:
        database.upgrade()
        store = SqlJobStore(database)
        for _ in range(given.jobs):
            a_job_with_history(store, given.rows)
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        result = verify(database)
        seconds = time.perf_counter() - start
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
        rate = result.rows / seconds
        print(f"{result.rows:,} rows, intact: {result.is_intact}, {rate:,.0f} rows/s, +{grown_mb:.1f} MB")


if __name__ == "__main__":
    main()
