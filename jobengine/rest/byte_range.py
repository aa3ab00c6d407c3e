"""The one byte range that a request may ask for (RFC 9110, section 14). Knows no framework."""

from __future__ import annotations

import re

_RANGE = re.compile(
    r"(?i:bytes)\s*=\s*(?:(?P<first>[0-9]{1,40})-(?P<last>[0-9]{1,40})?|-(?P<suffix>[0-9]{1,40}))\s*"
)


def bounds(text: str, length: int) -> tuple[int, int] | None:
    """First and last byte that the header ``Range`` asks for of ``length``.

    Backwards if there is none of them (416). None: no range, one that can't be read, or several, all of which
    mean the whole.
    """
    wanted = _RANGE.fullmatch(text) if text else None
    if wanted is None:
        return None
    if wanted["suffix"] is not None:
        count = min(int(wanted["suffix"]), length)
        return length - count, length - 1
    first, last = int(wanted["first"]), int(wanted["last"] or length)
    if wanted["last"] is not None and last < first:
        return None
    return first, min(last, length - 1)
