"""Re-streaming: flat out beside bare pyzmq, from POST to first element, and live.

The sink is a ROUTER (or SUB) socket of bare pyzmq in a process of its own. How flat out is compared stands in
`benchmarks.flat_out`. First elements come first, as the first job of a service is to be among them. Paced
jobs are the business of `benchmarks.paced_jobs`. First elements and live ones that met no slow processor are
told beside all of them (``benchmarks.steadiness``).

    python -m benchmarks.restream [--quick] [--rounds 9]
"""

from __future__ import annotations

import argparse
import time

from benchmarks.element_sink import Sink, receiver
from benchmarks.flat_out import Case, flat_out
from benchmarks.harness import Figure, Report, percentile, run, scratch
from benchmarks.live_stream import live
from benchmarks.restream_rig import cancel, open_contents, record, submit
from benchmarks.rigs import ServiceRig, service
from benchmarks.steadiness import Span, watched

TIMES = {1_000: 2, 16_000: 2, 128_000: 4, 1_000_000: 4}
"""For each size of elements, how many times a round sends all of them: about a second's worth."""
FLAT_OUT_BYTES = 400_000_000
FLAT_OUT_ELEMENTS = 20_000
FRAME_MS = 1000 / 30
PACED_BYTES = 20_000
PACED_ELEMENTS = 150
FIRST_TARGET_MS = 20.0
REST_S = 3.0
"""What a service has after its first answer: it makes its spare workers then."""


def measure(report: Report, given: argparse.Namespace) -> None:
    """All three."""
    rounds = 3 if given.quick else given.rounds
    with scratch() as folder, service(folder) as rig, open_contents(folder) as store, receiver() as sink:
        record(store, "paced", PACED_ELEMENTS, PACED_BYTES, FRAME_MS)
        time.sleep(REST_S)
        first_element(report, rig, sink, 20 if given.quick else 100)
        for size, times in TIMES.items():
            case = Case(size, min(FLAT_OUT_ELEMENTS, FLAT_OUT_BYTES // size), times, rounds)
            content = f"flat-{size}"
            record(store, content, case.count, size, 1)
            flat_out(report, rig, sink, content, case)
        live(report, rig, 150 if given.quick else 900)


def first_element(report: Report, rig: ServiceRig, sink: Sink, jobs: int) -> None:
    """From the POST to the first element at the sink, one job after the other."""
    with watched() as watch:
        spans = _first_elements(rig, sink, jobs)
        steady_ms = watch.steady_ms(spans)
    spans_ms = [span.took_ms for span in spans]
    value = percentile(spans_ms, 99)
    report.add(Figure("POST to first element, the first job of the service", "ms", spans_ms[0]))
    report.add(Figure("POST to first element, p50", "ms", percentile(spans_ms, 50)))
    limit = f"< {FIRST_TARGET_MS:.0f} ms"
    report.add(Figure("POST to first element, p99", "ms", value, None, "", limit, value < FIRST_TARGET_MS))
    what = f"the same, p99 of the {len(steady_ms)} of {jobs} with a steady processor"
    report.add(Figure(what, "ms", percentile(steady_ms, 99)))


def _first_elements(rig: ServiceRig, sink: Sink, jobs: int) -> list[Span]:
    spans = []
    for number in range(jobs):
        topic = f"first-{number}"
        sink.expect(topic, 1)
        posted, posted_s = time.monotonic(), time.time()
        job_id = submit(rig, topic, "paced", sink.url["dealer"], {"pacing": {"mode": "absolute"}})
        spans.append(Span(posted_s, (sink.seconds()[0] - posted) * 1000))
        rig.call("POST", f"/api/jobs/{job_id}/transitions", cancel())
        rig.wait_state(job_id, "Cancelled")
    return spans


if __name__ == "__main__":
    run("Re-streaming", measure, ("--rounds", 9))
