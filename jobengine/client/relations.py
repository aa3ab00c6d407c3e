"""How the contents of a service belong together: equivalents, renditions, transformations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from jobengine.client.http import Http, path

Json = Any
Making = Literal["provided", "justInTime", "justInCase"]
CREATED = 201


class Relations:
    """``client.relations``, between contents by their names.

    What can't be raises MalformedError (400), NotFoundError or ConflictError: a circle, or a target that is
    made of something else already.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    def equivalents(self, name: str, depth: int = 1) -> list[str]:
        """The equivalents of a content, those at most ``depth`` pairs away, nearest first."""
        found: list[str] = self._http.get(path("beams", name, "equivalent"), {"depth": depth})
        return found

    def add_equivalent(self, name: str, other: str) -> bool:
        """Note that two contents hold the same bytes; False if that was known."""
        return self._is_new(path("beams", name, "equivalent", other))

    def remove_equivalent(self, name: str, other: str) -> None:
        """Forget a pair. Raises NotFoundError if there is none."""
        self._http.request("DELETE", path("beams", name, "equivalent", other))

    def rendition(self, name: str, depth: int = 1, reverse: bool = False) -> Json:
        """What a content is a rendition of; reversed, with its direct renditions."""
        return self._http.get(path("beams", name, "rendition"), _way(depth, reverse))

    def add_rendition(
        self,
        target: str,
        source: str,
        stream_map: Mapping[str, Json] | None = None,
        making: Making = "justInTime",
    ) -> bool:
        """Note that ``target`` is a rendition of ``source``, in place of another; False if that was known."""
        body: dict[str, Json] = {"making": making} | ({"stream_map": dict(stream_map)} if stream_map else {})
        return self._is_new(path("beams", target, "rendition", source), body)

    def remove_rendition(self, target: str, source: str) -> None:
        """Forget that. Raises NotFoundError if it is not so."""
        self._http.request("DELETE", path("beams", target, "rendition", source))

    def transformation(self, name: str, depth: int = 1, reverse: bool = False) -> Json:
        """What makes a content; reversed, what is made of it."""
        return self._http.get(path("beams", name, "transformation"), _way(depth, reverse))

    def add_transformation(self, target: str, document: Mapping[str, Json]) -> Json:
        """Note what makes ``target``: ``sources``, maybe ``targets``, ``recipe``, ``making``, bounds."""
        place = path("beams", target, "transformation")
        return self._http.request("POST", place, body=dict(document)).json()

    def remove_transformation(self, target: str, exactly: Sequence[str] | None = None) -> None:
        """Forget what makes ``target``, for all its targets; ``exactly``: only if they are these.

        Raises NotFoundError if there is no such transformation.
        """
        params = None if exactly is None else {"targets": json.dumps(list(exactly))}
        self._http.request("DELETE", path("beams", target, "transformation"), params=params)

    def _is_new(self, place: str, body: dict[str, Json] | None = None) -> bool:
        return self._http.request("POST", place, body=body).status_code == CREATED


def _way(depth: int, reverse: bool) -> dict[str, Json]:
    return {"depth": depth, **({"reverse": "true"} if reverse else {})}
