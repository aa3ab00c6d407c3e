"""The entry: one object per service."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from jobengine.client.event_feed import Event, EventFeed
from jobengine.client.http import Http, path
from jobengine.client.jobs import Jobs
from jobengine.client.relations import Relations

if TYPE_CHECKING:
    from jobengine.client.contents import Contents

Json = Any


class Events:
    """``client.events``."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def post(self, name: str, data: dict[str, Json] | None = None) -> Json:
        """Raise a named event for ``Event`` triggers. Not repeated when the connection breaks."""
        return self._http.request("POST", "/api/events", body={"name": name, "data": data or {}}).json()

    def stream(self, filter: str | None = None, last_event_id: int | None = None) -> Iterator[Event]:
        """Every change from now on, or after ``last_event_id``, in order; blocks between them.

        A broken connection is made again and nothing is lost; UnavailableError after a minute without one.
        """
        return (event for event in EventFeed(self._http, filter, last_event_id).follow() if event is not None)


class Variables:
    """``client.variables``: values for ``${Var:Name}``."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> Json:
        """All variables."""
        return self._http.get("/api/variables")

    def get(self, name: str) -> Json:
        """One variable. Raises NotFoundError."""
        return self._http.get(path("api", "variables", name))

    def set(self, name: str, value: Json) -> Json:
        """Define a variable, or give it another value."""
        return self._http.request("PUT", path("api", "variables", name), body={"value": value}).json()

    def delete(self, name: str) -> None:
        """Remove a variable; jobs that were posted keep the value they used."""
        self._http.request("DELETE", path("api", "variables", name))


class Client:
    """Blocking and thread-safe; close it, or use it in a ``with`` statement.

    url: where the service is. token: an API key, if the service asks for one. timeout_s: how long a call
    may take. Every error is one of `jobengine.errors`.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8484", token: str | None = None, timeout_s: float = 30.0
    ) -> None:
        self._http = Http(url, token, timeout_s)
        self.jobs = Jobs(self._http)
        self.events = Events(self._http)
        self.variables = Variables(self._http)
        self.relations = Relations(self._http)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return self._http.url

    @cached_property
    def contents(self) -> Contents:
        """Media in the store of the service."""
        # The models of elements take as long to import as a command about jobs takes altogether.
        from jobengine.client.contents import Contents

        return Contents(self._http)

    def versions(self) -> Json:
        """Versions of the service and its parts."""
        return self._http.get("/api/versions")

    def readiness(self) -> Json:
        """The parts of the service and whether each works. Raises UnavailableError if nothing answers."""
        return self._http.request("GET", "/readyz", accepted=frozenset({503})).json()

    def schema(self, name: str | None = None) -> Json:
        """A published JSON Schema, or the list of them."""
        return self._http.get(path("api", "schemas", name) if name else "/api/schemas")

    def openapi(self) -> Json:
        """The OpenAPI document of the service."""
        return self._http.get("/api/openapi.json")

    def close(self) -> None:
        """Close every connection."""
        self._http.close()
