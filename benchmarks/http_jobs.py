"""Jobs posted over HTTP: rate and answer times, beside a server that only inserts one row.

The document has the three transitions of a whole job (Wait, Start, Finish), so an answer means that the job
was checked, stored, run and finished. Beside it, by turns, Flask under granian that parses the same JSON and
commits one row.

    python -m benchmarks.http_jobs [--quick] [--clients 16] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
from functools import partial

from benchmarks.bare_server import bare_server
from benchmarks.databases import Postgresql, Sqlite
from benchmarks.documents import immediate
from benchmarks.harness import Figure, Report, median, percentile, postgres, run, scratch, take_turns
from benchmarks.http_load import post_many
from benchmarks.rigs import service

DOCUMENT = {
    "name": "Bench",
    "clientData": {"desk": "news", "order": 4711},
    "transitions": [immediate(requested) for requested in ("Wait", "Start", "Finish")],
}


def measure(report: Report, given: argparse.Namespace) -> None:
    """SQLite, then PostgreSQL."""
    with scratch() as folder:
        measure_on(report, given, Sqlite(folder))
    with postgres() as server:
        measure_on(report, given, Postgresql(server))


def measure_on(report: Report, given: argparse.Namespace, kind: Sqlite | Postgresql) -> None:
    """Ours and the bare server by turns, with many clients and with one."""
    count, rounds = (200, 2) if given.quick else (1_500, given.rounds)
    body = json.dumps(DOCUMENT).encode()
    with scratch() as folder, service(folder, kind.url("ours")) as rig, bare_server(kind.url("bare")) as bare:
        for clients in (given.clients, 1):
            times: dict[str, list[float]] = {"ours": [], "bare": []}

            def post(name: str, port: int, path: str, clients: int, kept: dict[str, list[float]]) -> float:
                share = count if clients > 1 else count // 5
                seconds, taken_ms = post_many(port, path, body, clients, share)
                kept[name] += taken_ms
                return share / seconds

            cases = {
                "ours": partial(post, "ours", rig.port, "/api/jobs", clients, times),
                "bare": partial(post, "bare", bare, "/jobs", clients, times),
            }
            cases["ours"]()
            times["ours"].clear()
            rate = {name: median(values) for name, values in take_turns(cases, rounds).items()}
            what = f"{kind.name}, {clients} client{'s' if clients > 1 else ''}"
            report.add(Figure(f"{what}: POST /api/jobs", "/s", rate["ours"], rate["bare"], "bare Flask"))
            for percent in (50, 99):
                ours, other = (percentile(times[name], percent) for name in ("ours", "bare"))
                report.add(Figure(f"{what}: answer p{percent}", "ms", ours, other, "bare Flask"))


if __name__ == "__main__":
    run("Jobs over HTTP", measure, ("--clients", 16), ("--rounds", 5))
