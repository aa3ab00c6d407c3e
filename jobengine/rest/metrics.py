"""``/metrics``: what Prometheus reads. State is read from the database when asked for; durations of calls are
counted as they end. Names are in `jobengine.telemetry`."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import jobengine
from jobengine import telemetry
from jobengine.errors import UnavailableError
from jobengine.model.lifecycle import JobState
from jobengine.model.query import parse_filter
from jobengine.rest.event_feed import Seats
from jobengine.rest.services import HttpServices

MIMETYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One registry per http process."""

    def __init__(self, services: HttpServices, seats: Seats) -> None:
        self._clock = services.clock
        self._registry = CollectorRegistry()
        self._registry.register(_Facts(services, seats))
        name, text, labels, buckets = telemetry.HTTP_DURATION
        self._durations = Histogram(name, text, labels, registry=self._registry, buckets=buckets)

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
                labels = (route, request.method, str(response.status_code))
                self._durations.labels(*labels).observe(seconds)
            return response

        app.add_url_rule("/metrics", "metrics", self._show)

    def _show(self) -> Response:
        return Response(generate_latest(self._registry), content_type=MIMETYPE)


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
        try:
            yield self._jobs()
            newest = self._services.reader.newest_event()
        except UnavailableError:
            return
        yield CounterMetricFamily(telemetry.EVENTS_NEWEST.name, telemetry.EVENTS_NEWEST.help, value=newest)

    def _jobs(self) -> Metric:
        family = GaugeMetricFamily(telemetry.JOBS.name, telemetry.JOBS.help, labels=telemetry.JOBS.labels)
        for state in JobState:
            where = parse_filter(f'currentState == "{state}"')
            family.add_metric([str(state)], self._services.reader.count_jobs(where))
        return family
