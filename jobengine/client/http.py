"""One HTTP connection pool to one service: address, key, timeouts, retries, errors.

Calls that may safely be made twice (by their method, or because they carry an Idempotency-Key) are
repeated a few times when the connection fails; nothing else ever is. A timeout is not repeated.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from jobengine.client.problems import error_of
from jobengine.errors import SettingsError, UnavailableError
from jobengine.tls_trust import authorities_for

Json = Any
RETRY_DELAYS_S = (0.1, 0.3, 0.9)
CONNECT_TIMEOUT_S = 5.0
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


def path(*parts: str) -> str:
    """An URL path of ``parts``, each quoted."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


class Http:
    """Blocking and thread-safe. ``pause`` waits a number of seconds between two tries."""

    def __init__(
        self, url: str, token: str | None, timeout_s: float, pause: Callable[[float], object] | None = None
    ) -> None:
        self.url = _checked(url)
        self._closed = threading.Event()
        self._pause = pause or self._closed.wait
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
            follow_redirects=True,
            trust_env=not _is_loopback(self.url),
            verify=authorities_for(self.url, may_lead_to_tls=not _is_loopback(self.url)),
        )

    def get(self, place: str, params: Mapping[str, Any] | None = None) -> Json:
        """The JSON body of a GET."""
        return self.request("GET", place, params=params).json()

    def request(
        self,
        method: str,
        place: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Json = None,
        headers: Mapping[str, str | None] | None = None,
        accepted: frozenset[int] = frozenset(),
    ) -> httpx.Response:
        """A successful answer. Raises the error that the service named, or UnavailableError.

        Parameters and headers that are None are left out; ``place`` is a path, or a whole URL of this
        service. Redirects are followed. A JSON answer with one of the ``accepted`` statuses is an answer as
        well.
        """
        given = {name: value for name, value in (headers or {}).items() if value is not None}
        request = self._client.build_request(
            method,
            place,
            params={name: value for name, value in params.items() if value is not None} if params else None,
            json=body,
            headers=given,
        )
        response = self._send(request, repeat=method in _SAFE_TO_REPEAT or "Idempotency-Key" in given)
        if response.is_success or (response.status_code in accepted and _is_plain_json(response)):
            return response
        raise error_of(response)

    def put(
        self, place: str, data: bytes, media_type: str, params: Mapping[str, Any], repeat: bool
    ) -> httpx.Response:
        """A successful answer to a PUT of bytes. ``repeat``: doing it twice is as doing it once, so it may be
        tried again when the connection fails. Raises the error that the service named, or UnavailableError.
        """
        known = {name: value for name, value in params.items() if value is not None}
        headers = {"Content-Type": media_type}
        request = self._client.build_request("PUT", place, params=known, content=data, headers=headers)
        response = self._send(request, repeat)
        if response.is_success:
            return response
        raise error_of(response)

    @contextmanager
    def streaming(
        self, place: str, *, params: Mapping[str, Any], headers: Mapping[str, str], silence_s: float
    ) -> Iterator[httpx.Response]:
        """An answer whose body comes bit by bit; nothing for ``silence_s`` counts as a broken connection.

        Raises the error that the service named; transport errors are the caller's to handle.
        """
        timeout = httpx.Timeout(silence_s, connect=CONNECT_TIMEOUT_S)
        with self._client.stream("GET", place, params=params, headers=headers, timeout=timeout) as response:
            if not response.is_success:
                response.read()
                raise error_of(response)
            yield response

    def pause(self, seconds: float) -> None:
        """Wait before another try."""
        self._pause(seconds)

    def close(self) -> None:
        """Close every connection and end every pause."""
        self._closed.set()
        self._client.close()

    def _send(self, request: httpx.Request, repeat: bool) -> httpx.Response:
        for delay_s in RETRY_DELAYS_S if repeat else ():
            try:
                return self._client.send(request)
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                self._pause(delay_s)
            except httpx.HTTPError as error:
                raise self.unavailable(error) from error
        try:
            return self._client.send(request)
        except httpx.HTTPError as error:
            raise self.unavailable(error) from error

    def unavailable(self, error: Exception) -> UnavailableError:
        """What a failed connection means to the caller."""
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return UnavailableError(f"no service answers at {self.url}: {error}")
        if isinstance(error, httpx.TimeoutException):
            return UnavailableError(f"{self.url} did not answer in time; it may have carried out the request")
        return UnavailableError(f"the connection to {self.url} broke: {str(error) or type(error).__name__}")


def _is_plain_json(response: httpx.Response) -> bool:
    return bool(response.headers.get("Content-Type", "").partition(";")[0] == "application/json")


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SettingsError(f"{url!r} is not an address of a service: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SettingsError(f"{url!r} is not an address of a service, such as http://127.0.0.1:8484")
    return url.rstrip("/")


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
