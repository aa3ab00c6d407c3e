"""What keeps an ingest specification from being run is told with its place."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from pydantic import ValidationError

from jobengine.model.ingest import IngestSpec, check_ingest
from jobengine.model.roots import MediaRoots
from jobengine.model.topic_filter import TopicFilter

ROOTS = MediaRoots(PurePosixPath("/data/media"))
URL = "router+bind:tcp://127.0.0.1:5555"


def faults(specification: dict[str, Any]) -> dict[str, str]:
    spec = IngestSpec.model_validate(specification)
    return {fault.pointer: fault.detail for fault in check_ingest(spec, ROOTS)}


def test_a_source_is_enough() -> None:
    assert faults({"source": {"url": URL}}) == {}
    assert faults({"source": {"url": "sub+connect:ipc:///run/anywhere"}}) == {}
    assert faults({"source": {"url": "router+bind:ipc:///data/media/in"}}) == {}


@pytest.mark.parametrize(
    ("specification", "pointer", "sentence"),
    [
        ({}, "/source/url", "is missing"),
        ({"source": {"url": "dealer+connect:tcp://h:1"}}, "/source/url", "is for writing"),
        ({"source": {"url": "router+bind:ipc:///tmp/in"}}, "/source/url", "outside the allowed folders"),
        ({"source": {"url": URL}, "content": "cam-{topic}"}, "/content", "no braces"),
        ({"source": {"url": URL}, "passThrough": {}}, "/passThrough/sink/url", "is missing"),
        (
            {"source": {"url": URL}, "passThrough": {"sink": {"url": "content:copy/0"}}},
            "/passThrough/sink/url",
            "is not a socket",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(specification: dict[str, Any], pointer: str, sentence: str) -> None:
    assert sentence in faults(specification)[pointer]


def test_topics_are_one_source_or_a_prefix() -> None:
    spec = IngestSpec.model_validate({"topics": {"source": "cam"}})
    assert spec.topics is not None
    assert spec.topics.topic_filter() == TopicFilter(source=b"cam")
    with pytest.raises(ValidationError, match="either source or prefix"):
        IngestSpec.model_validate({"topics": {"source": "cam", "prefix": "c"}})
