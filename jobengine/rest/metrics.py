"""``/metrics``: what Prometheus reads. State is read from the database when asked for; durations of calls are
counted as they end. Names are in `jobengine.telemetry`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import jobengine
from jobengine import telemetry
from jobengine.errors import UnavailableError
from jobengine.history.reader import JobReader
from jobengine.messaging.engine_messages import ReadProgress, ReadService
from jobengine.model.lifecycle import JobState
from jobengine.model.query import parse_filter
from jobengine.rest.event_feed import Seats
from jobengine.rest.services import HttpServices

PAGE, MAX_PAGES = 1_000, 50
"""Events taken in by one scrape at most: a long silence is made good by several."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others, which anybody may make up, are counted together."""
MIMETYPE = "text/plain; version=0.0.4; charset=utf-8"
_CONVERTER = re.compile(r"<\w+:")


class Metrics:
    """One registry per http process."""

    def __init__(self, services: HttpServices, seats: Seats) -> None:
        self._clock = services.clock
        self._registry = CollectorRegistry()
        self._registry.register(_Facts(services, seats))
        self._durations = _histogram(telemetry.HTTP_DURATION, self._registry)
        self._lateness = _Lateness(services.reader, _histogram(telemetry.LATENESS, self._registry))

    def install(self, app: Flask) -> None:
        """Count every call of ``app``, and answer ``/metrics``."""

        @app.before_request
        def start() -> None:
            g.started_ns = self._clock.monotonic_ns()

        @app.after_request
        def count(response: Response) -> Response:
            if "started_ns" in g and response.mimetype != "text/event-stream":
                route = str(request.url_rule) if request.url_rule else "none"
                seconds = (self._clock.monotonic_ns() - g.started_ns) / 1e9
                method = request.method if request.method in METHODS else "other"
                self.durations(route, method, response.status_code).observe(seconds)
            return response

        app.add_url_rule("/metrics", "metrics", self._show)

    def durations(self, route: str, method: str, status: int) -> Histogram:
        """What the seconds of such calls are told to. A route goes without its converters, as documented."""
        return self._durations.labels(_CONVERTER.sub("<", route), method, str(status))

    def _show(self) -> Response:
        self._lateness.update()
        return Response(generate_latest(self._registry), content_type=MIMETYPE)


def _histogram(metric: telemetry.Metric, registry: CollectorRegistry) -> Histogram:
    return Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)


class _Lateness:
    """Reads the lateness of transitions from the event feed, each event once. Thread-safe."""

    def __init__(self, reader: JobReader, histogram: Histogram) -> None:
        self._reader = reader
        self._histogram = histogram
        self._after: int | None = None
        self._lock = threading.Lock()

    def update(self) -> None:
        """Take in what has come since; nothing while the database is away."""
        with self._lock, suppress(UnavailableError):
            if self._after is None:
                self._after = self._reader.newest_event()
            for _ in range(MAX_PAGES):
                page = self._reader.events_after(self._after, PAGE)
                for event in page.events:
                    if (lateness_ms := event.data.get("latenessMs")) is not None:
                        self._histogram.observe(lateness_ms / 1000)
                if page.scanned == self._after:
                    return
                self._after = page.scanned


class _Facts(Collector):
    """Read afresh for every scrape; the parts that the database can't tell now are left out."""

    def __init__(self, services: HttpServices, seats: Seats) -> None:
        self._services = services
        self._seats = seats

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily(telemetry.BUILD.name, telemetry.BUILD.help, labels=telemetry.BUILD.labels)
        build.add_metric([jobengine.__version__], 1)
        yield build
        yield GaugeMetricFamily(
            telemetry.EVENT_STREAMS.name, telemetry.EVENT_STREAMS.help, value=self._seats.taken
        )
        if self._services.proxy is not None:
            metric, count = telemetry.PROXY_ANSWERS, self._services.proxy.answers()
            yield CounterMetricFamily(metric.name, metric.help, value=count)
        yield from self._tasks()
        yield from self._engine()
        try:
            yield self._jobs()
            newest = self._services.reader.newest_event()
        except UnavailableError:
            return
        yield CounterMetricFamily(telemetry.EVENTS_NEWEST.name, telemetry.EVENTS_NEWEST.help, value=newest)

    def _tasks(self) -> Iterator[Metric]:
        failures, overdue = telemetry.TASK_FAILURES, telemetry.TASK_OVERDUE
        failed = CounterMetricFamily(failures.name, failures.help, labels=failures.labels)
        late = GaugeMetricFamily(overdue.name, overdue.help, labels=overdue.labels)
        for task in self._services.tasks:
            failed.add_metric([task.name], task.failures)
            late.add_metric([task.name], task.overdue_s())
        yield from (failed, late)

    def _engine(self) -> Iterator[Metric]:
        """What it counts, and knows of its workers; nothing while it can't answer."""
        try:
            service = self._services.probe.ask(ReadService, actor="metrics").data
            running = self._services.probe.ask(ReadProgress, actor="metrics", job_ids=()).data
        except UnavailableError:
            return
        counted = ((telemetry.WORKER_FAILURES, "failures"), (telemetry.ENGINE_FAULTS, "faults"))
        for metric, member in counted:
            family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            for label, count in service[member].items():
                family.add_metric([label], count)
            yield family
        yield from _sinks(running)

    def _jobs(self) -> Metric:
        family = GaugeMetricFamily(telemetry.JOBS.name, telemetry.JOBS.help, labels=telemetry.JOBS.labels)
        for state in JobState:
            where = parse_filter(f'currentState == "{state}"')
            family.add_metric([str(state)], self._services.reader.count_jobs(where))
        return family


def _sinks(running: Mapping[str, Any]) -> Iterator[Metric]:
    """Of the jobs that run now."""
    counters = [each.get("counters") or {} for each in running.values()]
    is_open = sum(each.get("circuit") == "open" for each in counters)
    lost = sum(each.get("deadLetters", 0) for each in counters)
    for metric, value in ((telemetry.OPEN_CIRCUITS, is_open), (telemetry.DEAD_LETTERS, lost)):
        yield GaugeMetricFamily(metric.name, metric.help, value=value)
