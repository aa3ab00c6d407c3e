"""A stream of a content of another service as the target of a sink: elements are put there in batches.

The other service keeps each element once, by its id, so a batch whose answer was lost may be put again. Its
content and stream are made if they are not there. Redirects are not followed; what the peer may be is the
operator's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from jobengine.errors import MediaError, SinkError
from jobengine.model.beam.batch import Batch
from jobengine.model.beam.element_lines import one_stream_format
from jobengine.model.beam.elements import to_document
from jobengine.model.push import PushPlace
from jobengine.ports.sink import SinkStream
from jobengine.worker.restream.grouped_sink import Offered, TryAgain

Json = Any
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_AFTER_S = 60
_SAID_MAX = 300


def authorization(key_file: str) -> dict[str, str]:
    """The headers that show the key in this file; none if there is no file. Raises MediaError."""
    if not key_file:
        return {}
    try:
        return {"Authorization": f"Bearer {Path(key_file).read_text(encoding='utf-8').strip()}"}
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"the key file {key_file} of engine.push_targets can't be read: {error}") from error


class PushWriter:
    """A `jobengine.worker.restream.grouped_sink.GroupWriter`. The client stays its opener's."""

    def __init__(
        self,
        client: httpx.Client,
        place: PushPlace,
        stream: SinkStream,
        headers: Mapping[str, str],
        timeout: httpx.Timeout,
    ) -> None:
        self._client = client
        self._place = place
        self._stream = stream
        self._headers = headers
        self._timeout = timeout
        self._is_there = False
        self.name = place.stream_url

    def write(self, group: Sequence[Offered]) -> int:
        if not self._is_there:
            self._make()
            self._is_there = True
        batch = Batch()
        for each in group:
            batch.add(to_document(each.element, self._place.index, with_id=True), each.planes)
        url = f"{self._place.stream_url}/elements?mode=append"
        self._ask("PUT", url, batch.body(), batch.media_type)
        return 0

    def close(self) -> None:
        """The connection is shared."""

    def _make(self) -> None:
        """The content and the stream, unless they are there."""
        place, stream = self._place, self._stream
        if self._ask("GET", place.stream_url, accepts=404) != 404:
            return
        document = one_stream_format(stream.format, stream.document, place.index, url=place.content)
        if self._send_json("POST", place.contents_url, document, accepts=409) == 409:
            self._send_json("PUT", place.stream_url, document["streams"][0])

    def _send_json(self, method: str, url: str, document: Json, accepts: int = 0) -> int:
        return self._ask(method, url, msgspec.json.encode(document), "application/json", accepts)

    def _ask(self, method: str, url: str, body: bytes = b"", media_type: str = "", accepts: int = 0) -> int:
        """The status of a success, or ``accepts``. Raises TryAgain or SinkError for any other answer."""
        headers = {**self._headers, **({"Content-Type": media_type} if media_type else {})}
        try:
            answer = self._client.request(
                method, url, content=body or None, headers=headers, timeout=self._timeout
            )
        except httpx.HTTPError as error:
            said = str(error) or type(error).__name__
            raise TryAgain(f"{self._place.origin} can't be reached ({said})") from error
        if answer.is_success or answer.status_code == accepts:
            return answer.status_code
        if answer.status_code in _TRY_AGAIN:
            after = answer.headers.get("Retry-After", "")
            after_s = min(int(after), _MAX_AFTER_S) if after.isascii() and after.isdigit() else 0
            raise TryAgain(f"{self._place.origin} answers {answer.status_code}", after_s)
        raise SinkError(f"its service answers {answer.status_code}{_said(answer)}")


def _said(answer: httpx.Response) -> str:
    """What a problem document says, cut to what people read."""
    try:
        problem = answer.json()
    except ValueError:
        return ""
    detail = problem.get("detail") if isinstance(problem, dict) else None
    return f": {detail[:_SAID_MAX]}" if isinstance(detail, str) else ""
