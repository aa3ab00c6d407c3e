"""Revisions of contents over HTTP: ``ETag`` out, ``If-Match`` and ``If-None-Match`` in.

The tag has the content's number too, so one that was made anew under an old name is another.
"""

from __future__ import annotations

from flask import Response, request

from jobengine.contents.catalogue import Content
from jobengine.errors import MalformedError, RevisionMismatch
from jobengine.rest.guard import SAFE_METHODS


def etag(content: Content) -> str:
    """The entity tag of a content, which is that of its streams too."""
    return f'"{_tag(content)}"'


def check_match(content: Content, is_there: bool = True) -> None:
    """Raise RevisionMismatch if the client wants another revision than there is, or none.

    ``is_there``: false for a stream that the content does not have yet, which `If-None-Match` asks for.
    """
    given = request.if_match
    is_another = given and not given.star_tag and not given.contains(_tag(content))
    is_unwanted = is_there and request.method not in SAFE_METHODS and is_known(content)
    if is_another or is_unwanted:
        raise RevisionMismatch(f"the content is at {_tag(content)}", revision=_tag(content))


def refuse_conditions(possible: str = "none is") -> None:
    """Raise MalformedError if the request asks for a condition: elements and payloads have no revisions, and
    a condition that is passed over would let a client write over what it meant to guard.

    ``possible``: which one is answered, as the end of a sentence.
    """
    for name in ("If-Match", "If-None-Match"):
        if name in request.headers:
            raise MalformedError(f"the condition {name} is not possible here; {possible}")


def creates_only() -> bool:
    """Whether an element is to be put only if there is none of its kind and pts. Raises MalformedError for
    any other condition."""
    is_asked = request.if_none_match.star_tag and "If-Match" not in request.headers
    if not is_asked:
        refuse_conditions("only If-None-Match: * is, for an element not there yet")
    return is_asked


def is_known(content: Content) -> bool:
    """Whether the client has this revision already."""
    given = request.if_none_match
    return bool(given) and given.contains_weak(_tag(content))


def not_modified(content: Content) -> Response:
    """Nothing new since the client read it."""
    return Response(status=304, headers={"ETag": etag(content)})


def _tag(content: Content) -> str:
    return f"{content.number}-{content.revision}"
