"""Contents by name: one format and its streams, over the documents of any store.

A content has a number that is never used again, and stream ``index`` of it is stream
``number << 16 | index`` of the store: so a content made anew under an old name never sees old elements.
What a format or a stream says is JSON that was checked before (`jobengine.model.beam`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from jobengine.clock import Clock, to_text
from jobengine.contents.last_changes import LastChanges, changes_since, count_change
from jobengine.errors import ConflictError, NotFoundError, RevisionMismatch
from jobengine.ports.contents import (
    ContentStore,
    DeleteDocument,
    DropStream,
    LimitStream,
    PutDocument,
    Write,
)

Json = Any
MAX_STREAMS = 1 << 16
_CONTENTS = "contents"
_ORDER = "contents-in-order"
_COUNTERS = "counters"
_PAGE = 500
_RACES = 100
_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much payload of each stream is kept; None: no limit. Metadata stays in any case."""

    payload_age_s: float | None = None
    payload_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """One content. ``format`` is its container without streams, ``streams`` in order of their index
    (None where one was removed), ``ended`` the indexes that will get no further element."""

    name: str
    number: int
    format: Mapping[str, Json]
    streams: tuple[Mapping[str, Json] | None, ...]
    ended: frozenset[int] = frozenset()
    limits: Limits = field(default_factory=Limits)
    created_time: str = ""
    revision: int = 0

    def stream_number(self, index: int) -> int:
        """The store's number of a stream."""
        return self.number << 16 | index

    def has(self, index: int, number: int) -> bool:
        """Whether its stream ``index`` is there, and the store's stream ``number``."""
        return self.streams[index : index + 1] not in ((), (None,)) and self.stream_number(index) == number


Wanted = TypeVar("Wanted", bound=Content | None)


def new_content(name: str, content_format: Mapping[str, Json], limits: Limits | None = None) -> Content:
    """A content without streams that is still to be made, for `Catalogue.change_until`."""
    return Content(name, 0, content_format, (), limits=limits or Limits())


class Catalogue:
    """Contents of one store. Thread-safe; races between processes are decided by the store."""

    def __init__(self, store: ContentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[int, Content]] = {}

    def create(
        self,
        name: str,
        content_format: Mapping[str, Json],
        streams: Sequence[Mapping[str, Json] | None],
        limits: Limits | None = None,
        further: Sequence[Write] = (),
    ) -> Content:
        """A new content, with ``further`` writes in the same commit.

        Raises ConflictError if the name is taken.
        """
        content = Content(
            name=name,
            number=0,
            format=content_format,
            streams=tuple(streams),
            limits=limits or Limits(),
            created_time=to_text(self._clock.now()),
        )
        for _ in range(_RACES):
            if self._store.document(_CONTENTS, name) is not None:
                raise ConflictError(f"there is a content {name!r} already")
            try:
                return self._create(content, further)
            except RevisionMismatch:
                continue  # another one took the number, or the name, which the next round tells
        raise ConflictError(f"others changed the catalogue {_RACES} times meanwhile; try again")

    def find(self, name: str) -> Content | None:
        """A content, or None. Read once as long as nothing is committed."""
        version = self._store.version()
        known = self._known.get(name)
        if known is not None and known[0] == version:
            return known[1]
        document = self._store.document(_CONTENTS, name)
        if document is None:
            return None
        content = _from_document(name, document.value, document.revision)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[name] = (version, content)
        return content

    def get(self, name: str) -> Content:
        """A content. Raises NotFoundError."""
        content = self.find(name)
        if content is None:
            raise NotFoundError(f"there is no content {name!r}")
        return content

    def names(self) -> list[str]:
        """All names in order of creation."""
        return [document.value["name"] for document in self._store.documents(_ORDER)]

    def contents(self) -> Iterator[Content]:
        """All of them in order of their names' characters, read page by page beside whoever changes them."""
        after: str | None = None
        while page := self._store.documents(_CONTENTS, after, _PAGE):
            for document in page:
                yield _from_document(document.key, document.value, document.revision)
            after = page[-1].key

    def changes_since(self, count: int) -> LastChanges:
        """What was made, changed or deleted by any process since there were ``count`` such changes.

        Take it before you look at contents: what happens in between is then counted by the next one.
        """
        return changes_since(self._store, count)

    def names_beginning(self, prefix: str, limit: int) -> list[str]:
        """Names that are longer than ``prefix`` and begin with it, in order of their characters."""
        found = [document.key for document in self._store.documents(_CONTENTS, prefix, limit)]
        return [name for name in found if name.startswith(prefix)]

    def change(self, content: Content, expected_revision: int, further: Sequence[Write] = ()) -> Content:
        """Store ``content`` over the revision expected, with ``further`` writes in the same commit.

        Streams that it no longer has are dropped with their elements. Raises RevisionMismatch.
        """
        before = self.get(content.name)
        dropped = [
            DropStream(before.stream_number(index))
            for index, stream in enumerate(before.streams)
            if stream is not None and (index >= len(content.streams) or content.streams[index] is None)
        ]
        put = PutDocument(_CONTENTS, content.name, _as_document(content), expected_revision)
        counted = count_change(self._store, content.name)
        outcomes = self._store.commit([put, *dropped, *_limits(content), counted, *further])
        return replace(content, revision=outcomes[0].revision or 0)

    def change_until(self, name: str, change: Callable[[Content | None], Wanted]) -> Content | Wanted:
        """Change or make a content, beside whoever else does; the content as it is then.

        ``change`` is given the content as it is now (None: it isn't there) and says what it shall be: the
        same one is left alone, one where there was none is made, None ends it. It is asked again as often
        as another one was quicker. Raises ConflictError when that was always so.
        """
        for _ in range(_RACES):
            content = self.find(name)
            wanted = change(content)
            if wanted is None or wanted == content:
                return wanted
            try:
                if content is None:
                    return self.create(name, wanted.format, wanted.streams, wanted.limits)
                return self.change(wanted, content.revision)
            except (ConflictError, NotFoundError):
                continue
        raise ConflictError(f"content {name!r} was changed by others {_RACES} times meanwhile; try again")

    def delete(
        self, name: str, expected_revision: int | None = None, further: Sequence[Write] = ()
    ) -> Content:
        """Remove a content with its streams and elements, and ``further`` writes in the same commit."""
        content = self.get(name)
        revision = content.revision if expected_revision is None else expected_revision
        streams = [DropStream(content.stream_number(index)) for index in range(len(content.streams))]
        removal = [DeleteDocument(_CONTENTS, name, revision), DeleteDocument(_ORDER, _place(content))]
        self._store.commit([*removal, *streams, count_change(self._store, name), *further])
        return content

    def _create(self, content: Content, further: Sequence[Write]) -> Content:
        counter = self._store.document(_COUNTERS, _CONTENTS)
        number = (counter.value["last"] if counter else 0) + 1
        numbered = replace(content, number=number)
        outcomes = self._store.commit(
            [
                PutDocument(_COUNTERS, _CONTENTS, {"last": number}, counter.revision if counter else 0),
                PutDocument(_CONTENTS, content.name, _as_document(numbered), 0),
                PutDocument(_ORDER, _place(numbered), {"name": content.name}, 0),
                *_limits(numbered),
                count_change(self._store, content.name),
                *further,
            ]
        )
        return replace(numbered, revision=outcomes[1].revision or 0)


def _place(content: Content) -> str:
    return f"{content.number:012d}"


def _limits(content: Content) -> list[LimitStream]:
    age_s = content.limits.payload_age_s
    age_us = None if age_s is None else round(age_s * 1_000_000)
    return [
        LimitStream(content.stream_number(index), age_us, content.limits.payload_bytes)
        for index, stream in enumerate(content.streams)
        if stream is not None
    ]


def _as_document(content: Content) -> dict[str, Json]:
    return {
        "number": content.number,
        "format": dict(content.format),
        "streams": [None if stream is None else dict(stream) for stream in content.streams],
        "ended": sorted(content.ended),
        "payloadAgeS": content.limits.payload_age_s,
        "payloadBytes": content.limits.payload_bytes,
        "createdTime": content.created_time,
    }


def _from_document(name: str, value: Mapping[str, Json], revision: int) -> Content:
    return Content(
        name=name,
        number=value["number"],
        format=value["format"],
        streams=tuple(value["streams"]),
        ended=frozenset(value["ended"]),
        limits=Limits(value["payloadAgeS"], value["payloadBytes"]),
        created_time=value["createdTime"],
        revision=revision,
    )
