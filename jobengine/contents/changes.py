"""What has changed between two looks at a catalogue, told as changes of single contents.

Only the two states are compared: what came and went between them is not seen, and several changes of one
content may be one. Elements are no part of a catalogue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from jobengine.contents.catalogue import Content
from jobengine.model.event_name import content_event

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Change:
    """One content has changed. ``stream`` and ``is_closed`` are said of a stream that was ``closed``.

    ``is_closed``: no stream of the content is open after this change.
    """

    content: str
    kind: Literal["created", "changed", "closed", "deleted"]
    stream: int | None = None
    is_closed: bool = False

    @property
    def event(self) -> str:
        """The name of the event that tells of it."""
        return content_event(self.content, self.kind)

    @property
    def data(self) -> dict[str, Any]:
        """What goes with that event."""
        if self.kind != "closed":
            return {"content": self.content}
        return {"content": self.content, "stream": self.stream, "isClosed": self.is_closed}


@dataclass(frozen=True, slots=True)
class Seen:
    """As much of a content as tells later whether it has changed; ``digest`` is of format and streams."""

    number: int
    revision: int
    digest: bytes
    present: frozenset[int]
    ended: frozenset[int]


Catalogued = Mapping[str, Seen]
"""A catalogue, or a part of it, as it was seen, by names."""


def look(contents: Iterable[Content], before: Catalogued) -> dict[str, Seen]:
    """Contents as they are now, by names; of what was like that ``before`` nothing is made anew."""
    return {content.name: _seen(content, before.get(content.name)) for content in contents}


def changes(before: Catalogued, now: Catalogued) -> list[Change]:
    """What has changed, contents that are gone first. A content made anew under its name was deleted."""
    gone = [name for name, seen in before.items() if name not in now or now[name].number != seen.number]
    found = [Change(name, "deleted") for name in gone]
    for name, seen in now.items():
        known = before.get(name)
        if known is not seen:
            found += _changes_of(name, known, seen)
    return found


def _seen(content: Content, known: Seen | None) -> Seen:
    if known is not None and (known.number, known.revision) == (content.number, content.revision):
        return known
    document = msgspec.json.encode((content.format, content.streams))
    present = frozenset(index for index, stream in enumerate(content.streams) if stream is not None)
    digest = hashlib.blake2b(document, digest_size=DIGEST_BYTES).digest()
    return Seen(content.number, content.revision, digest, present, content.ended & present)


def _changes_of(name: str, known: Seen | None, now: Seen) -> list[Change]:
    if known is None or known.number != now.number:
        return [Change(name, "created"), *_closings(name, frozenset(), now)]
    is_opened_again = bool(known.ended & now.present - now.ended)
    changed = [Change(name, "changed")] if known.digest != now.digest or is_opened_again else []
    return [*changed, *_closings(name, known.ended, now)]


def _closings(name: str, ended_before: frozenset[int], now: Seen) -> list[Change]:
    """Of several streams that were closed since, the last closes the content, if none is open."""
    closed = sorted(now.ended - ended_before)
    is_closed = now.present == now.ended
    return [Change(name, "closed", index, is_closed and index == closed[-1]) for index in closed]
