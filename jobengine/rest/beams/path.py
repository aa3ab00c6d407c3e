"""Variables of addresses below ``/beams``, decoded: routing works on encoded parts."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from jobengine.rest.api import Call


def variable(call: Call[Any], name: str) -> str:
    """One variable of the path."""
    return unquote(call.path[name])


def content_name(call: Call[Any]) -> str:
    """The name of the content that is meant as a whole; ``.json`` behind it is no part of it."""
    return variable(call, "content").removesuffix(".json")


def stream_name(call: Call[Any]) -> str:
    """How the address names a stream; ``.json`` behind it is no part of it."""
    return variable(call, "stream").removesuffix(".json")
