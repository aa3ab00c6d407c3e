"""The rules that every store begins with. What stands in the store under the same name replaces them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobengine.model.rule import Rule

Json = Any
_CONTENT = r"^/beams/(?P<content>[^/]+)"
_ONE = _CONTENT + r"/(?P<stream>[^/]+)/(?P<reference>[^/]+)"
_SEVERAL = _CONTENT + r"/(?:(?P<stream>[^/]+)/)?(?P<reference>[^/]+)"
_PAYLOAD = _ONE.replace(r"(?P<reference>[^/]+)", r"(?P<reference>(?:packet|frame)_-?[0-9]+)")
_MISSING = _ONE.replace(r"(?P<reference>[^/]+)", r"(?P<reference>(?:(?:packet|frame)_)?-?[0-9][0-9:.smhf-]*)")
_PICTURE = ["width", "height", "quality"]


def _rule(**members: Json) -> Rule:
    return Rule.model_validate(members)


SHIPPED: Mapping[str, Rule] = {
    "jpeg": _rule(pathPattern=_SEVERAL + r"\.jpe?g$", recipe="jpeg", queryParameters=_PICTURE),
    "png": _rule(pathPattern=_SEVERAL + r"\.png$", recipe="png", queryParameters=_PICTURE[:2]),
    "mp4": _rule(
        pathPattern=_SEVERAL + r"\.mp4$", recipe="mp4", queryParameters=["streams"], defaultStream="all"
    ),
    "ts": _rule(
        pathPattern=_SEVERAL + r"\.ts$", recipe="mpegts", queryParameters=["streams"], defaultStream="all"
    ),
    "wav": _rule(pathPattern=_SEVERAL + r"\.wav$", recipe="wav", defaultStream="audio"),
    "txt": _rule(
        pathPattern=_CONTENT + r"/(?P<stream>[^/]+)\.txt$",
        recipe="summary",
        parameters={"format": "text"},
        queryParameters=["format"],
    ),
    "equivalents": _rule(
        enabled=False,
        method=["POST", "PUT", "PATCH"],
        pathPattern=r"^/beams/(?P<content>[^/]+?)(?:(?:\.json)?|/(?:stream_?)?[0-9]+)/?$",
        location=True,
        statusCode=[200, 201],
        postRoute=True,
        respond=False,
        recipe="makeEquivalent",
        defaultStream="all",
    ),
    "fileStore": _rule(
        enabled=False,
        method=["PUT", "POST"],
        pathPattern=_PAYLOAD + r"(?:/data|\.raw)",
        statusCode=[200, 201],
        postRoute=True,
        respond=False,
        recipe="storeCopy",
    ),
    "fileStoreBatch": _rule(
        enabled=False,
        method="PUT",
        pathPattern=_CONTENT + r"/(?P<stream>[^/]+)/elements/?$",
        statusCode=[200, 201],
        postRoute=True,
        respond=False,
        recipe="storeCopy",
        parameters={"newOnly": True},
    ),
    "renditions": _rule(
        enabled=False,
        method=["PUT", "POST"],
        pathPattern=_PAYLOAD + r"(?:/data|\.raw)",
        statusCode=[200, 201],
        postRoute=True,
        respond=False,
        recipe="makeRenditions",
    ),
    "dataMissing": _rule(
        enabled=False,
        pathPattern=_MISSING + r"(?:/data|\.raw|\.json$|/?$)",
        statusCode=[404],
        postRoute=True,
        recipe="retrieveCopy",
    ),
}
