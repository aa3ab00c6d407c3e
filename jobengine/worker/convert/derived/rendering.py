"""Makes elements of derived streams and keeps them, with whatever they need made before them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any, Protocol

from jobengine.clock import to_us
from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import LookUp
from jobengine.contents.relations import Relations
from jobengine.contents.relations.making import Making
from jobengine.errors import ConflictError, NotFoundError, RevisionMismatch
from jobengine.media.coded_pictures import Coded
from jobengine.model.element import ElementKind, PayloadState, StoredElement
from jobengine.model.media_reference import Direct
from jobengine.model.recipe import Buffer
from jobengine.ports.contents import PutElement, PutMode
from jobengine.worker.convert.derived.claims import Claims
from jobengine.worker.convert.derived.derivation import Derivation, Derivations
from jobengine.worker.convert.derived.filling import Filling
from jobengine.worker.convert.derived.learning import with_learnt
from jobengine.worker.convert.derived.packed import PackedMaker, is_packed
from jobengine.worker.convert.derived.pictures import PictureMaker
from jobengine.worker.convert.derived.sound import SoundMaker
from jobengine.worker.convert.equivalent_payloads import EquivalentPayloads
from jobengine.worker.convert.sources import StoreSource
from jobengine.worker.convert.task import OpenTask

Json = Any
MOST_BEHIND = 16
"""How many derivations one after the other are made."""
_COMMIT_BYTES = 8 * 1024 * 1024
_RACES = 100


class Maker(Protocol):
    """Makes elements of one derived stream. ``learnt``: what it found out for the stream's ``codecpar``."""

    learnt: dict[str, Json]

    def unit(self, wanted: Direct) -> str:
        """What is made together with ``wanted``: the same for all of it."""
        ...

    def make(self, wanted: Direct, ahead: int) -> Iterator[Coded]:
        """``wanted`` and what belongs to it; nothing where the source has nothing."""
        ...

    def following(self, wanted: Direct, count: int) -> list[Direct]:
        """Up to ``count`` next ones that can be made."""
        ...

    def moments(self, first: int, end: int) -> list[int]:
        """The pts from ``first`` to ``end`` (exclusive) that can be made."""
        ...

    def complete(self, kind: ElementKind, at: Fraction) -> Direct | None:
        """The last one for which nothing more is to come, once the source has come to ``at`` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class _Made:
    """How a stream is made, and who makes it."""

    derivation: Derivation
    maker: Maker


class Rendering:
    """Makes what is asked for, unless somebody else is at it; then what that one makes is waited for."""

    def __init__(
        self, task: OpenTask, relations: Relations, equivalents: EquivalentPayloads, lifetime: timedelta
    ) -> None:
        self._task = task
        self._store = task.store
        self._equivalents = equivalents
        self._lifetime = lifetime
        self._look_up = LookUp(task.store)
        self._claims = Claims(task.store, task.clock)
        self._derivations = Derivations(task.store, task.catalogue, relations)
        self._filling = Filling(self._payload, self._ensure, task.clock)
        self._known: dict[tuple[int, ElementKind], _Made | None] = {}
        self._depth = 0

    def fill(self, content: Content, index: int, wanted: Direct, ahead: int = 0) -> bool:
        """Make an element with its payload and keep it; whether it is there now.

        Raises NotFoundError if a source has lost what is needed, or MediaError.
        """
        made = self._made(content, index, wanted.kind)
        if made is None or not made.maker.moments(wanted.pts, wanted.pts + 1):
            return False
        number = made.derivation.number
        with self._claims.held(f"{number} {made.maker.unit(wanted)}"):
            if not self._is_here(number, wanted):
                self._keep(made, wanted, ahead)
        return self._is_here(number, wanted)

    def is_derived(self, content: Content, index: int) -> bool:
        """Whether a stream is made here of others."""
        return self._derivations.of(content, index) is not None

    def feeds(self, source: StoreSource, making: Making) -> list[tuple[Content, int]]:
        """The streams that are made, in this way, of a stream directly."""
        return list(self._derivations.feeds(source, making))

    def catch_up(self, content: Content, index: int, at: Fraction) -> None:
        """Make what can be made now that the leading source has come to ``at`` seconds of its time."""
        kind = kind_of_elements(content.streams[index] or {})
        made = self._made(content, index, kind)
        if made is None:
            return
        wanted = made.maker.complete(kind, made.derivation.inputs[0].made_at(at))
        if wanted is not None and not self._is_here(content.stream_number(index), wanted):
            self.fill(content, index, wanted)

    def following(self, content: Content, index: int, wanted: Direct, count: int) -> list[Direct]:
        """Up to ``count`` elements after ``wanted`` that are there or can be made."""
        made = self._made(content, index, wanted.kind)
        return [] if made is None else made.maker.following(wanted, count)

    def moments(self, content: Content, index: int, kind: ElementKind, first: int, end: int) -> list[int]:
        """The pts from ``first`` to ``end`` (exclusive) that can be made."""
        made = self._made(content, index, kind)
        return [] if made is None else made.maker.moments(first, end)

    def _made(self, content: Content, index: int, kind: ElementKind) -> _Made | None:
        """How a stream is made, found out once: a maker tries its encoder."""
        key = content.stream_number(index), kind
        if key not in self._known:
            derivation = self._derivations.of(content, index)
            maker = None if derivation is None else self._maker(derivation, kind)
            self._known[key] = None if derivation is None or maker is None else _Made(derivation, maker)
        return self._known[key]

    def _maker(self, derivation: Derivation, kind: ElementKind) -> Maker | None:
        if kind is ElementKind.PACKET and is_packed(derivation):
            return PackedMaker(derivation, self._filling)
        if derivation.kind == "audio":
            return SoundMaker(derivation, self._filling, kind)
        is_one = len(derivation.inputs) == 1 and derivation.inputs[0].channel is None
        is_picture = derivation.kind == "video" and (is_one or derivation.graph is not None)
        return PictureMaker(derivation, self._filling) if is_picture else None

    def _keep(self, made: _Made, wanted: Direct, ahead: int) -> None:
        """Make, and commit in pieces; what is there already stays as it is."""
        derivation = made.derivation
        pending: list[PutElement] = []
        size = 0
        for element, planes in made.maker.make(wanted, ahead):
            self._task.passed()
            if self._is_here(derivation.number, Direct(element.kind, element.pts or 0)):
                continue
            expires_us = to_us(self._task.clock.now() + self._lifetime)
            pending.append(PutElement(derivation.number, element, planes, PutMode.REPLACE, expires_us))
            size += sum(len(plane) for plane in planes)
            if size > _COMMIT_BYTES:
                self._store.commit(pending)
                pending, size = [], 0
        if pending:
            self._commit(derivation, made.maker.learnt, pending)

    def _commit(
        self, derivation: Derivation, learnt: Mapping[str, Json], pending: Sequence[PutElement]
    ) -> None:
        """Commit elements, and what their decoders have to know if the stream does not say it yet."""
        for _ in range(_RACES):
            content = self._task.catalogue.get(derivation.content.name)
            taught = with_learnt(content, derivation.index, learnt)
            if taught is None:
                self._store.commit(pending)
                return
            try:
                self._task.catalogue.change(taught, content.revision, pending)
                return
            except RevisionMismatch:
                continue
        raise ConflictError(
            f"content {derivation.content.name!r} was changed by others {_RACES} times meanwhile"
        )

    def _ensure(self, source: StoreSource, first: int, end: int) -> None:
        """Make what a source, derived itself, has not got from ``first`` to ``end`` (exclusive)."""
        content = self._task.catalogue.get(source.content)
        if self._derivations.of(content, source.index) is None:
            return
        if self._depth >= MOST_BEHIND:
            raise NotFoundError(f"{source.content!r} is made of others by more than {MOST_BEHIND} relations")
        kind = kind_of_elements(source.stream)
        self._depth += 1
        try:
            for pts in self.moments(content, source.index, kind, first, end):
                wanted = Direct(kind, pts)
                if not self._is_here(source.number, wanted):
                    self.fill(content, source.index, wanted)
        finally:
            self._depth -= 1
        # What was made may have shown what decoders have to know.
        source.reread(self._task.catalogue.get(source.content))

    def _payload(self, source: StoreSource, stored: StoredElement) -> Sequence[Buffer] | None:
        return self._equivalents.find(source.content, source.index, stored)

    def _is_here(self, number: int, wanted: Direct) -> bool:
        stored = self._look_up.direct(number, wanted.kind, wanted.pts)
        return stored is not None and stored.payload is PayloadState.HERE


def kind_of_elements(stream: Mapping[str, Json]) -> ElementKind:
    """What a derived stream is made of: frames if its pictures are raw, else packets."""
    is_raw = (stream.get("codecpar") or {}).get("name") == "rawvideo"
    return ElementKind.FRAME if is_raw else ElementKind.PACKET
