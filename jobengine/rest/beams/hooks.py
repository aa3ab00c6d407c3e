"""What may happen before and after the routes of ``/beams``: the seam for rules.

Hooks see requests that were let in: host, origin and key are checked before. An exception of a hook is
answered as any other. Paths are as `jobengine.rest.beams.address` leaves them: each part percent-encoded.
"""

from __future__ import annotations

from typing import Protocol

from flask import Request, Response

from jobengine.rest.auth import Actor


class BeamHooks(Protocol):
    """Asked for every request below ``/beams``. Thread-safe; may block as long as the client may wait."""

    def concerns(self, method: str, path: str) -> bool:
        """Whether `before`, or `after` of a success, may want this payload request.

        Asked for GETs of payloads, so it must be cheap, and may depend on what is committed to the contents
        store only: an answer is kept as long as nothing is. Requests that it does not want are answered
        without Flask, and `before` and `after` are not called for them. What fails is shown to both.
        """
        ...

    def before(self, request: Request, actor: Actor) -> Response | None:
        """An answer instead of the routes' own; None lets them answer."""
        ...

    def after(self, request: Request, actor: Actor, response: Response) -> Response:
        """The answer that the client gets, given that of the routes or of `before`."""
        ...
