"""Reads that may wait for what is not there yet: long polling."""

from __future__ import annotations

from collections.abc import Callable

from jobengine.contents.look_up import Found
from jobengine.rest.beams.services import BeamServices

SLICE_S = 0.5
"""How soon a wait notices that the process stops."""


def wait_for(services: BeamServices, wait_ms: int, find: Callable[[], tuple[Found, bool]]) -> Found:
    """What ``find`` finds, as soon as it finds anything, at most ``wait_ms`` later (bounded by the settings).

    ``find`` also tells whether more may come. A wait holds a thread, so it takes one of the seats of the
    event feeds: UnavailableError when none is free.
    """
    version = services.followers.version()
    found, is_open = find()
    if found.elements or not wait_ms or not is_open:
        return found
    services.seats.take()
    try:
        now_ns = services.clock.monotonic_ns()
        deadline_ns = now_ns + min(wait_ms, services.settings.max_wait_ms) * 1_000_000
        while not found.elements and is_open and now_ns < deadline_ns and not services.notices.has_ended:
            services.followers.wait(version, min(SLICE_S, (deadline_ns - now_ns) / 1e9))
            version = services.followers.version()
            found, is_open = find()
            now_ns = services.clock.monotonic_ns()
        return found
    finally:
        services.seats.leave()
