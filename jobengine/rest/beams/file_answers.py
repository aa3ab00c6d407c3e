"""Answers to the proxy: where the body is in a file, instead of the body."""

from __future__ import annotations

import hmac
from typing import Any

from jobengine.model.file_span import ASK, TELL, BodyInFile
from jobengine.ports.contents import ContentStore
from jobengine.rest.beams.payload_answer import Payload, PayloadAnswer

_ASK = f"HTTP_{ASK.upper().replace('-', '_')}"


class FileAnswers:
    """For the one proxy that knows ``secret``; without a secret there is none. Thread-safe."""

    def __init__(self, store: ContentStore, secret: str) -> None:
        self._store = store
        self._secret = secret

    def are_asked_for(self, environ: dict[str, Any]) -> bool:
        """Whether the proxy asks; its mark is taken out of the request."""
        mark = environ.pop(_ASK, None)
        return bool(mark and self._secret) and hmac.compare_digest(mark.encode(), self._secret.encode())

    def instead(
        self, answer: PayloadAnswer, payload: Payload, version: int, until_ns: int
    ) -> PayloadAnswer | None:
        """What tells the proxy of a whole ``answer`` as of a version of the store; None: send it as it is.

        Raises UnavailableError.
        """
        span = self._store.payload_file(payload.element)
        is_same = span is not None and span.length == sum(map(len, answer.body))
        if span is None or not is_same or self._store.version() != version:
            return None
        told = f"{self._secret} {BodyInFile(span, version, until_ns).to_header()}"
        headers = dict(answer.headers)
        del headers["Content-Length"]  # the proxy puts it in; the server tells that of what it sends
        return PayloadAnswer(answer.status, {**headers, TELL: told})
