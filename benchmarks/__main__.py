"""Every benchmark, one after the other; a failed one does not stop the rest.

python -m benchmarks [--quick]
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    "steadiness",
    "durable_jobs",
    "trigger_lateness",
    "append_to_effect",
    "pipe_throughput",
    "recordings",
    "restream",
    "ingest",
    "paced_jobs",
    "pacing",
    "http_jobs",
    "content_http",
    "content_flow",
    "contents_store",
    "contents_redis",
)


def main() -> int:
    """The exit code: 1 if some benchmark could not be carried out. A missed target is no failure."""
    failed = []
    for name in BENCHMARKS:
        if subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=False
        ).returncode:
            failed.append(name)
    if failed:
        print(f"\nnot carried out: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
