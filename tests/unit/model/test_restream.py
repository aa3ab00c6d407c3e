"""A re-streaming specification that can't be run is refused with the place and what would be right."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

import pytest

from jobengine.errors import DocumentError
from jobengine.model.document import read
from jobengine.model.push import PushTarget
from jobengine.model.restream import RestreamSpec, check_restream
from jobengine.model.roots import MediaRoots

ROOTS = MediaRoots(PurePosixPath("/media"), push_targets=(PushTarget("https://other:8484"),))
WHOLE = {
    "source": {"content": "camera"},
    "resultingStream": "vod-1",
    "sink": {"url": "dealer+connect:tcp://127.0.0.1:5555"},
    "anchor": {"key": str(uuid4())},
}


def said(value: dict[str, Any]) -> list[dict[str, Any]]:
    """An attribute of one value."""
    return [{"namespace": "n", "name": "a", "values": [{"value": value}]}]


def pointers(**changes: Any) -> list[str]:
    """Where a whole specification with these changes is refused."""
    try:
        faults = check_restream(read(RestreamSpec, {**WHOLE, **changes}), ROOTS)
    except DocumentError as error:
        return [fault.pointer for fault in error.faults]
    return [fault.pointer for fault in faults]


def test_a_whole_specification_is_accepted_and_what_is_missing_is_named() -> None:
    assert pointers() == []
    missing = {fault.pointer for fault in check_restream(RestreamSpec(), ROOTS)}
    assert missing == {"/sink/url", "/source/content", "/anchor", "/resultingStream"}


@pytest.mark.parametrize(
    "anchor", ["first", "latest", "start", {"pts": -5}, {"time": "2026-01-01T00:00:00Z"}]
)
def test_every_form_of_an_anchor_is_accepted(anchor: Any) -> None:
    assert pointers(anchor=anchor) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"anchor": "last"}, "/anchor"),
        ({"anchor": {"key": "no uuid"}}, "/anchor/key"),
        ({"anchor": {"key": str(uuid4()), "pts": 1}}, "/anchor"),
        ({"anchor": {"time": "yesterday"}}, "/anchor/time"),
        ({"offset": {"seconds": -1}}, "/offset/seconds"),
        ({"offset": {"seconds": 1e300}}, "/offset/seconds"),
        ({"offset": {"blocks": -1}}, "/offset/blocks"),
        ({"offset": {}}, "/offset"),
        ({"offset": {"blocks": 1, "seconds": 1}}, "/offset"),
        ({"pacing": {"minDurationMs": 700, "maxDurationMs": 33}}, "/pacing"),
        ({"pacing": {"speed": 0}}, "/pacing/speed"),
        ({"pacing": {"mode": "slow"}}, "/pacing/mode"),
        ({"maxIdleMs": 0}, "/maxIdleMs"),
        ({"loops": -1}, "/loops"),
        ({"resultingStream": ""}, "/resultingStream"),
        ({"resultingStream": "a\nb"}, "/resultingStream"),
        ({"routingLabels": {}}, "/routingLabels"),
        ({"attributes": [{"namespace": "n", "name": "a"}] * 2}, "/attributes/1"),
        ({"attributes": said({"Nonsense": 1})}, "/attributes/0/values/0/value"),
        ({"attributes": said({"Integer": "1"})}, "/attributes/0/values/0/value"),
        ({"attributes": said({"Integer": True})}, "/attributes/0/values/0/value"),
        ({"attributes": said({"Integer": 1, "Float": 1.0})}, "/attributes/0/values/0/value"),
        ({"sink": {"url": "router+connect:tcp://127.0.0.1:5555"}}, "/sink/url"),
        ({"sink": {"url": "dealer+bind:tcp://127.0.0.1:5555"}}, "/sink/url"),
        ({"sink": {"url": "dealer+connect:udp://127.0.0.1:5555"}}, "/sink/url"),
        ({"sink": {"url": "content:"}}, "/sink/url"),
        ({"sink": {"url": "content:camera"}}, "/sink/url"),
        ({"sink": {"url": "file:/etc/passwd.ndjson"}}, "/sink/url"),
        ({"sink": {"url": "file:../day.ndjson"}}, "/sink/url"),
        ({"sink": {"url": "file:%2e%2e/day.ndjson"}}, "/sink/url"),
        ({"sink": {"url": "file:day.mp4"}}, "/sink/url"),
        ({"sink": {"url": "file:"}}, "/sink/url"),
        ({"sink": {"url": "file:day.ndjson", "options": {"sendTimeoutMs": 5}}}, "/sink/options"),
        ({"sink": {"url": "https://elsewhere:8484/beams/copy/0"}}, "/sink/url"),
        ({"sink": {"url": "https://other:84/beams/copy/0"}}, "/sink/url"),
        ({"sink": {"url": "http://other:8484/beams/copy/0"}}, "/sink/url"),
        ({"sink": {"url": "http://127.0.0.1:8484/beams/copy/0"}}, "/sink/url"),
        ({"sink": {"url": "http://169.254.169.254/beams/copy/0"}}, "/sink/url"),
        ({"sink": {"url": "https://other:8484@evil/beams/copy/0"}}, "/sink/url"),
        ({"sink": {"url": "https://user:password@other:8484/beams/copy/0"}}, "/sink/url"),
        ({"sink": {"url": "https://other:8484/beams/copy/0?token=secret"}}, "/sink/url"),
        ({"sink": {"url": "https://other:8484/elsewhere"}}, "/sink/url"),
        (
            {"sink": {"url": "https://other:8484/beams/copy/0", "options": {"codec": "savant"}}},
            "/sink/options",
        ),
        ({"sink": {"url": "content:copy/0", "options": {"sendHwm": 5}}}, "/sink/options"),
        ({"sink": {"url": "pub+connect:ipc:///tmp/x", "options": {"sendHwm": 0}}}, "/sink/options/sendHwm"),
    ],
)
def test_bad_input_is_refused_at_its_place(changes: dict[str, Any], pointer: str) -> None:
    assert pointers(**changes) == [pointer]


@pytest.mark.parametrize(
    "url",
    [
        "pub+connect:ipc:///tmp/sink",
        "req+connect:tcp://10.0.0.1:7000",
        "content:copy/3",
        "content:copy",
        "file:day.ndjson",
        "file:///media/vod/day%20one.ndjson",
        "https://other:8484/beams/copy/0",
        "https://other:8484/beams/a%2Fb",
    ],
)
def test_every_kind_of_sink_is_accepted(url: str) -> None:
    assert pointers(sink={"url": url}) == []


def test_a_login_in_a_url_is_refused_without_being_repeated() -> None:
    url = "https://user:password@other:8484/beams/copy/0"
    (fault,) = check_restream(read(RestreamSpec, {**WHOLE, "sink": {"url": url}}), ROOTS)
    assert "password" not in fault.detail
