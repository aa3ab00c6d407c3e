"""Logs: structlog, JSON lines or a console, always to stderr (stdout is for data).

An event is a short dotted name (``job.started``), everything else is a key: ``job_id``, ``transition_id``,
``request_id``, ``worker`` … Values under keys that name a secret, credentials in URLs and API keys are
struck out before anything is written.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

STRUCK = "***"
_SECRET_KEY = re.compile(
    r"(password|passwd|secret|token|authorization|api[-_]?key|credential)", re.IGNORECASE
)
_API_KEY = re.compile(r"\bje_[A-Za-z0-9]+_[A-Za-z0-9_-]+")
_URL_LOGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Logger = structlog.typing.FilteringBoundLogger


def configure(level: str = "info", style: str = "auto", stream: TextIO | None = None, **bound: Any) -> None:
    """Set up logging of this process; call once in each process, before threads start.

    style: ``json``, ``console`` or ``auto`` (console on a terminal). ``bound`` keys go into every line.
    The standard library's logging (libraries) goes the same way, from WARNING on.
    """
    target = cast("TextIO", _Lossy(stream or sys.stderr))
    is_json = style == "json" or (style == "auto" and not target.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    final: structlog.typing.Processor
    if is_json:
        final = structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False, default=str)
    else:
        final = structlog.dev.ConsoleRenderer(colors=target.isatty())
    structlog.configure(
        processors=[*shared, final],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    _route_standard_logging(shared, final, target)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)


class _Lossy:
    """A text stream whose full disk, or reader that has gone, costs lines and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def get(**bound: Any) -> Logger:
    """A logger with ``bound`` keys in every line."""
    logger: Logger = structlog.get_logger(**bound)
    return logger


def redact(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor that strikes out secrets."""
    for key, value in line.items():
        line[key] = strike_out(value, key)
    return line


def names_secret(key: str) -> bool:
    """Whether what stands under ``key`` is struck out."""
    return _SECRET_KEY.search(key) is not None


def strike_out(value: Any, key: str = "") -> Any:
    """``value`` as it may be shown: nothing under a secret's name, no API key, no login in a URL."""
    if names_secret(key) and value and not isinstance(value, bool | list | tuple):
        return STRUCK
    if isinstance(value, str):
        return _URL_LOGIN.sub(rf"\g<scheme>{STRUCK}@", _API_KEY.sub(STRUCK, value))
    if isinstance(value, Mapping):
        return {name: strike_out(member, str(name)) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [strike_out(member, key) for member in value]
    return value


def _route_standard_logging(
    shared: list[structlog.typing.Processor], final: structlog.typing.Processor, target: TextIO
) -> None:
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
