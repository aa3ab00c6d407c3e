"""Says once in the log that the service is ready, for people and for what starts services."""

from __future__ import annotations

import http.client
import threading
from urllib.parse import urlsplit

import structlog

from jobengine.clock import Clock

LOOK_AGAIN_S = 0.1
CALL_TIMEOUT_S = 2.0
GIVE_UP_S = 300.0


class ReadinessAnnouncer:
    """Asks ``/readyz`` in a thread of its own from `start` until it is ready or `stop` is called."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._address = urlsplit(url)
        self._url = url
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="readiness", daemon=True)

    def start(self) -> None:
        """Begin to ask; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; blocks for the call that is under way, a few seconds at most."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        log = structlog.get_logger("service")
        begin_ns = self._clock.monotonic_ns()
        while not self._stopping.wait(LOOK_AGAIN_S):
            seconds = (self._clock.monotonic_ns() - begin_ns) / 1e9
            if self._is_ready():
                log.info("service.ready", url=self._url, seconds=round(seconds, 1))
                return
            if seconds > GIVE_UP_S:
                log.warning("service.not_ready", url=self._url, seconds=round(seconds))
                return

    def _is_ready(self) -> bool:
        host, port = self._address.hostname or "", self._address.port
        connection = http.client.HTTPConnection(host, port, timeout=CALL_TIMEOUT_S)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
