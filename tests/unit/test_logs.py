"""Logs: JSON lines with bound keys, and never a secret."""

from __future__ import annotations

import errno
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from jobengine import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    target = io.StringIO()
    logs.configure("info", "json", target, service="one")
    yield target
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_json_with_the_bound_keys(stream: io.StringIO) -> None:
    logs.get(job_id="j1").info("job.started", kind="pipe")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["job_id"], line["kind"], line["service"]) == (
        "job.started",
        "j1",
        "pipe",
        "one",
    )
    assert line["time"].endswith("Z")
    assert line["level"] == "info"


def test_lines_below_the_level_are_not_written(stream: io.StringIO) -> None:
    logs.get().debug("quiet")
    assert stream.getvalue() == ""


def test_secrets_are_struck_out_at_any_depth(stream: io.StringIO) -> None:
    logs.get().info(
        "http.request",
        authorization="Bearer x",
        icecast={"adminPassword": "hackme", "list": [{"dpeToken": "t", "mountPoint": "/a"}]},
        url="https://me:pw@host/x?key=je_abc_s3cr-et",
    )
    text = stream.getvalue()
    assert not any(secret in text for secret in ("Bearer x", "hackme", "me:pw", "s3cr", '"t"'))
    assert "/a" in text


def test_the_standard_librarys_warnings_go_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("library").warning("beware of %s", "postgresql://u:pw@h/db")
    line = json.loads(stream.getvalue())
    assert line["event"] == "beware of postgresql://***@h/db"
    assert line["level"] == "warning"


class Full(io.StringIO):
    """A disk without room, or a pipe that nobody reads."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "no space left")


def test_lines_that_can_not_be_written_are_lost_and_no_more(stream: io.StringIO) -> None:
    logs.configure("info", "json", Full())
    logs.get().error("disk.full")
    logging.getLogger("library").error("disk full")
    logs.configure("info", "json", stream)
    logs.get().info("room.again")
    assert "room.again" in stream.getvalue()
