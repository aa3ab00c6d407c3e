"""From Replay's documents to ours and back: a job of Replay is a ``restream`` job with one stop condition.

Where Replay leaves no choice and its rule is a known fault, ours holds: pauses add up to a schedule, and
attributes that are there already are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from jobengine.errors import Fault
from jobengine.model.condition import StreamCondition, StreamReading
from jobengine.model.pacing import MAX_PAUSE_MS
from jobengine.model.replay.query import Configuration, JobQuery, RoutingLabels, Sink
from jobengine.model.sink import MAX_WAIT_MS

Json = Any
DIALECT = "replay"
RATE = Fraction(1_000_000)
"""Positions of re-streaming jobs are in microseconds of media."""


_PLACES = (
    ("/transitions/0/jobDescription/restreamSpec/sink", "/sink"),
    ("/transitions/0/jobDescription/restreamSpec/attributes", "/attributes"),
    ("/transitions/0/jobDescription/restreamSpec/anchorWaitMs", "/anchor_wait_duration"),
    ("/transitions/0/jobDescription/restreamSpec/anchor", "/anchor_keyframe"),
    ("/transitions/0/jobDescription/restreamSpec/offset", "/offset"),
    ("/transitions/0/jobDescription/restreamSpec/resultingStream", "/configuration/resulting_stream_id"),
    ("/transitions/0/jobDescription/restreamSpec/routingLabels", "/configuration/routing_labels"),
    ("/transitions/0/jobDescription/restreamSpec", "/configuration"),
    ("/transitions/1/trigger/condition", "/stop_condition"),
)
_SNAKE = {
    "lastFrame": "last_frame",
    "frameCount": "frame_count",
    "keyFrameCount": "key_frame_count",
    "tsDeltaSec": "ts_delta_sec",
    "maxDeltaSec": "max_delta_sec",
    "realTimeDeltaMs": "real_time_delta_ms",
    "configuredDeltaMs": "configured_delta_ms",
}


def job_document(query: JobQuery, content: str, stream: int, posted: Json) -> dict[str, Json]:
    """Our document of a job. ``content`` and ``stream`` are where the stored stream is."""
    configuration = query.configuration
    return {
        "name": f"replay {configuration.stored_stream_id} to {configuration.resulting_stream_id}",
        "clientData": {"dialect": DIALECT, "labels": configuration.labels or {}, "posted": posted},
        "restartPolicy": "resume",
        "transitions": [
            {
                "trigger": {"type": "Immediate", "requestedProcState": "Start"},
                "jobDescription": {"restreamSpec": _restream(query, content, stream)},
            },
            stop_transition(_condition(query.stop_condition)),
        ],
    }


def stop_transition(condition: Json) -> dict[str, Json]:
    """The pending transition that is a job's stop condition."""
    return {"trigger": {"type": "Stream", "condition": condition, "requestedProcState": "Finish"}}


def faults_in_query(faults: Sequence[Fault]) -> list[Fault]:
    """Faults of our document, placed in Replay's."""
    return [Fault(_place(fault.pointer), fault.detail) for fault in faults]


def reading_of(progress: Mapping[str, Json]) -> StreamReading:
    """The stream clock of a job by its live counters; zero while it has none."""
    counters = progress.get("counters") or {}
    position = (progress.get("position") or {}).get("pts") or 0
    return StreamReading(
        position,
        RATE,
        counters.get("elements", 0),
        counters.get("keyElements", 0),
        (progress.get("elapsedSeconds") or 0.0) * 1000,
    )


def replay_condition(condition: Json) -> Json:
    """One of our conditions in Replay's spelling."""
    if isinstance(condition, dict):
        return {_SNAKE.get(key, key): replay_condition(member) for key, member in condition.items()}
    if isinstance(condition, list):
        return [replay_condition(part) for part in condition]
    return condition


def replay_pointer(pointer: str) -> str:
    """A pointer into a stop condition with Replay's spelling of its members."""
    return "/".join(_SNAKE.get(part, part) for part in pointer.split("/"))


def _place(pointer: str) -> str:
    for ours, theirs in _PLACES:
        if pointer == ours or pointer.startswith(f"{ours}/"):
            return theirs + (pointer.removeprefix(ours) if theirs in ("/sink", "/attributes") else "")
    return ""


def _restream(query: JobQuery, content: str, stream: int) -> dict[str, Json]:
    configuration = query.configuration
    wait = query.anchor_wait_duration
    return {
        "source": {"content": content, "stream": stream},
        "resultingStream": configuration.resulting_stream_id,
        "sink": _sink(query.sink),
        "anchor": {"key": str(query.anchor_keyframe)},
        "anchorWaitMs": 0.0 if wait is None else wait.ms,
        "offset": _offset(query),
        "pacing": _pacing(configuration),
        "maxIdleMs": max(1.0, configuration.max_idle_duration.ms),
        "maxDeliveryMs": max(1.0, configuration.max_delivery_duration.ms),
        "metadataOnly": configuration.send_metadata_only,
        "routingLabels": _labels(configuration),
        "attributes": [_attribute(attribute) for attribute in query.attributes],
        "labels": configuration.labels,
        "endOfStream": {
            "skipIntermediary": configuration.skip_intermediary_eos,
            "onFinish": configuration.send_eos,
        },
    }


def _condition(condition: StreamCondition) -> Json:
    return condition if isinstance(condition, str) else condition.document()


def _sink(sink: Sink) -> dict[str, Json]:
    options: dict[str, Json] = {"codec": "savant"}
    if sink.options is not None:
        options |= {
            "sendTimeoutMs": min(round(sink.options.send_timeout.ms), MAX_WAIT_MS),
            "sendRetries": sink.options.send_retries,
            "receiveTimeoutMs": min(round(sink.options.receive_timeout.ms), MAX_WAIT_MS),
            "receiveRetries": sink.options.receive_retries,
            "sendHwm": sink.options.send_hwm,
            "receiveHwm": sink.options.receive_hwm,
            "inflightOps": sink.options.inflight_ops,
        }
    return {"url": sink.url, "options": options}


def _offset(query: JobQuery) -> dict[str, Json]:
    if query.offset.blocks is not None:
        return {"blocks": query.offset.blocks}
    return {"seconds": query.offset.seconds, "by": "creationTime"}


def _pacing(configuration: Configuration) -> dict[str, Json]:
    return {
        "mode": "absolute" if configuration.ts_sync else "fast",
        "minDurationMs": min(configuration.min_duration.ms, MAX_PAUSE_MS),
        "maxDurationMs": min(configuration.max_duration.ms, MAX_PAUSE_MS),
        "discrepancyFixMs": min(configuration.ts_discrepancy_fix_duration.ms, MAX_PAUSE_MS),
        "stopOnIncorrectTs": configuration.stop_on_incorrect_ts,
    }


def _labels(configuration: Configuration) -> dict[str, Json] | None:
    labels = configuration.routing_labels
    if not isinstance(labels, RoutingLabels):
        return None
    return {"replace": labels.replace} if labels.replace is not None else {"append": labels.append}


def _attribute(attribute: Mapping[str, Json]) -> dict[str, Json]:
    """Replay's names are read as ours are; only a value of nothing is written otherwise."""
    values = attribute.get("values")
    if not isinstance(values, list):
        return dict(attribute)
    return {**attribute, "values": [_value(value) for value in values]}


def _value(value: Json) -> Json:
    if isinstance(value, dict) and value.get("value") == "None":
        return {**value, "value": {"None": None}}
    return value
