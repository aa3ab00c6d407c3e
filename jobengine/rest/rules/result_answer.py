"""A result of a convert job as an answer: whole, a range of it, or nothing where the client has it.

A result is made anew for each request, so its entity tag is a hash of its bytes: a client that fetches it in
parts and sends the tag as ``If-Range`` never gets parts of two results.
"""

from __future__ import annotations

from typing import IO

import xxhash
from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import FileWrapper

from jobengine.errors import RevisionMismatch
from jobengine.rest.byte_range import bounds
from jobengine.rest.rules.outcome import Outcome

CHUNK_BYTES = 256 * 1024


def answer_result(outcome: Outcome, body: IO[bytes]) -> Response:
    """The answer, which closes ``body`` when it was sent.

    Raises RevisionMismatch and RequestedRangeNotSatisfiable for conditions and ranges that it can't meet.
    """
    try:
        return _answer(outcome, body)
    except BaseException:
        body.close()
        raise


def _answer(outcome: Outcome, body: IO[bytes]) -> Response:
    tag, size = _tag_and_size(body)
    response = Response(FileWrapper(body, CHUNK_BYTES), outcome.status, content_type=outcome.media_type)
    response.direct_passthrough = True
    response.headers.extend(outcome.headers)
    response.content_length = size
    if outcome.status != 200 or request.method not in ("GET", "HEAD"):
        return response
    response.set_etag(tag)
    response.headers["Accept-Ranges"] = "bytes"
    wanted = bounds(request.headers.get("Range", ""), size) if request.method == "GET" else None
    try:
        response.make_conditional(request, accept_ranges=wanted is not None, complete_length=size)
    except RequestedRangeNotSatisfiable:
        raise RequestedRangeNotSatisfiable(size, description=f"the result has {size} bytes") from None
    del response.headers["Date"]  # the server puts it in
    if response.status_code == 412:
        raise RevisionMismatch(f'the result has the entity tag "{tag}"', revision=tag)
    return response


def _tag_and_size(body: IO[bytes]) -> tuple[str, int]:
    digest, size = xxhash.xxh3_128(), 0
    while piece := body.read(CHUNK_BYTES):
        digest.update(piece)
        size += len(piece)
    body.seek(0)
    return digest.hexdigest(), size
