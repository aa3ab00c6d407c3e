"""The names, units and labels of every metric, in one place.

Prefix ``jobengine_``, base units, ``_total`` for counters. Never an id, a path or an address as label:
their number has no bound.
"""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """A metric as Prometheus knows it."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


JOBS = Metric("jobengine_jobs", "Jobs that are not deleted, by state.", ("state",))
LATENESS = Metric(
    "jobengine_trigger_lateness_seconds",
    "How late transitions with a due time passed, since this process was first asked.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 60.0),
)
HTTP_DURATION = Metric(
    "jobengine_http_request_duration_seconds",
    "Time from a request's arrival to its answer, event streams excepted.",
    ("route", "method", "status"),
    (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
PROXY_ANSWERS = Metric(
    "jobengine_proxy_answers_total",
    "GETs of payloads that the proxy answered without asking; the durations of calls do not count them.",
)
TASK_FAILURES = Metric(
    "jobengine_task_failures_total",
    "How often what the http process does by itself has failed; it is tried again.",
    ("task",),
)
TASK_OVERDUE = Metric(
    "jobengine_task_overdue_seconds",
    "How long it has been due since it was last done; near 0 unless it fails or hangs.",
    ("task",),
)
WORKER_FAILURES = Metric(
    "jobengine_worker_failures_total",
    "How often what makes workers has ended (nursery), and how often workers that wait for jobs were left"
    " alone for a while because they end at once (spare, shared); since the engine's start.",
    ("part",),
)
ENGINE_FAULTS = Metric(
    "jobengine_engine_faults_total",
    "Errors that nobody expected in decisions of the engine, since its start: requests that were refused for"
    " one (request), jobs that were set aside (job), and those that were left out as not even their end could"
    " be decided (left_out).",
    ("of",),
)
OPEN_CIRCUITS = Metric(
    "jobengine_restream_open_circuits", "Running jobs whose sink failed so often that it is left alone now."
)
DEAD_LETTERS = Metric(
    "jobengine_restream_dead_letters",
    "Elements that running jobs have left out because their sink did not take them.",
)
EVENT_STREAMS = Metric("jobengine_event_streams", "Clients that follow the event stream now.")
EVENTS_NEWEST = Metric("jobengine_events_total", "Number of the newest event.")
BUILD = Metric("jobengine_build_info", "Always 1; the version is in the label.", ("version",))
