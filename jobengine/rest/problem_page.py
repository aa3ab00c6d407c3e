"""``/api/problems/<code>``: what the ``type`` of a problem means and what to do about it, as plain text."""

from __future__ import annotations

from flask import Response
from werkzeug.exceptions import NotFound
from werkzeug.http import HTTP_STATUS_CODES

from jobengine.errors import BY_CODE

ADVICE = {
    "malformed": "Send JSON (RFC 8259): UTF-8, no key twice in one object, no NaN or Infinity. "
    "line and column, or errors[].parameter, say where reading stopped.",
    "authentication-required": "Send a key as 'Authorization: Bearer je_…' or 'X-API-Key: je_…'. "
    "'jobengine key create' makes one. Keys expire and can be revoked.",
    "forbidden": "The key is valid but its role may not do this. viewer reads, operator writes, "
    "admin manages variables and keys.",
    "host-refused": "A service on loopback answers to localhost and loopback addresses only. Behind a proxy, "
    "add the proxy's host name to http.allowed_hosts.",
    "not-found": "Ids are those that the service answered. A deleted job is not found either.",
    "stream-gone": "The content or its stream was deleted before these elements came. Nothing was stored; "
    "make the content anew if they are still wanted.",
    "conflict": "Read the present state, then decide again. detail says what is in the way.",
    "transition-not-allowed": "state is where the job is, allowed what may be requested there.",
    "idempotency-key-reused": "The same Idempotency-Key came with another body. Make a new key.",
    "revision-mismatch": "Somebody changed it since you read it. Read it again and take the new ETag.",
    "precondition-required": "Send If-Match with the ETag that you got when you read it.",
    "too-large": "The service's http.max_document_bytes says how many bytes a body may have.",
    "invalid-document": "errors[] names every fault: pointer (RFC 6901, '' is the whole document) and what "
    "would be right. Nothing was stored. 'jobengine job submit --check' shows the same without a service.",
    "disk-full": "Nothing was stored. Free space on the disk, or delete contents. If detail says that the "
    "store is full of what jobs are reading, try again later or raise contents.capacity_bytes.",
    "unavailable": "Try again after Retry-After seconds. detail says whether anything was accepted.",
    "internal": "A fault of the service. Its log has the traceback under the request_id.",
    "unsupported-media-type": "Bodies are application/json; PATCH also takes application/merge-patch+json.",
    "method-not-allowed": "The Allow header names the methods of this address.",
    "not-implemented": "This resource comes with a later version.",
}


def show(code: str) -> Response:
    """The page of one problem type."""
    known = _known()
    if code not in known:
        raise NotFound(f"there is no problem type {code!r}; known are {', '.join(sorted(known))}")
    title, status = known[code]
    text = f"{title}\n{'=' * len(title)}\n\ncode:   {code}\nstatus: {status} {HTTP_STATUS_CODES[status]}\n"
    if code in ADVICE:
        text += f"\n{ADVICE[code]}\n"
    return Response(text, mimetype="text/plain")


def _known() -> dict[str, tuple[str, int]]:
    found = {code: (error.title, error.status) for code, error in BY_CODE.items()}
    of_http = {"unsupported-media-type": 415, "method-not-allowed": 405, "not-implemented": 501}
    for code, status in of_http.items():
        found[code] = (HTTP_STATUS_CODES[status], status)
    return found
