"""A stream of a contents store as a pipe plays it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.followers import Followers
from jobengine.contents.look_up import LookUp, TimedStream, pts_of
from jobengine.contents.stream_names import stream_index
from jobengine.errors import MediaError, NotFoundError
from jobengine.media.codec_setup import parameters_of
from jobengine.media.contents_port import StreamWanted
from jobengine.media.media_element import MediaElement, skipped_samples
from jobengine.model.beam.streams import time_base_of
from jobengine.model.element import PTS_MAX, PTS_MIN, Gap, StoredElement
from jobengine.model.media_reference import Direct, MediaReference, Stamps, Times, parse_reference
from jobengine.ports.contents import ContentStore
from jobengine.worker.restream.pins import Pins
from jobengine.worker.restream.reader import Reader
from jobengine.worker.restream.shared_store import SharedStore

Json = Any
_BATCH = 64
_WAIT_S = 0.1
_SOUND = "audio"


class PlayedContent:
    """A `jobengine.media.contents_port.PlayedStream` over any store. ``store`` stays the caller's."""

    def __init__(self, store: ContentStore, clock: Clock, wanted: StreamWanted) -> None:
        self._store, self._clock = store, clock
        self._pinning = ThreadPoolExecutor(1, "pinning")
        self._catalogue = Catalogue(store, clock)
        self._shared = SharedStore(store, self._catalogue, Pins(store, clock, self._pinning))
        self._followers = Followers(store)
        self._follow = wanted.follow
        try:
            content = self._catalogue.get(wanted.content)
            self._index = stream_index(content, wanted.stream or _SOUND)
        except NotFoundError as error:
            raise MediaError(error.detail) from error
        self._name, self._number = content.name, content.stream_number(self._index)
        document: Mapping[str, Json] = content.streams[self._index] or {}
        self.document: Mapping[str, Json] = {**document, "index": self._index}
        self._timed = TimedStream(self._number, self._index, time_base_of(document))
        self._look_up = LookUp(store)
        self.first_pts = self._first(wanted.first)
        self.end_pts = self._end(wanted.last)
        self._reader: Reader | None = None
        self._version = -1
        self._is_behind_end = False

    def seek(self, pts: int) -> None:
        before = self._store.range(self._number, PTS_MIN, pts, 0, 1, descending=True)
        sequence = max(before[0].sequence - 1, 0) if before else self._first_sequence()
        self._reader = Reader(self._shared, self._number, sequence, self._clock, with_payload=True)

    def read(self) -> Sequence[MediaElement]:
        if self._reader is None or self._is_behind_end:
            return ()
        self._version = self._followers.version()
        found: list[MediaElement] = []
        while len(found) < _BATCH and (entry := self._reader.take()) is not None:
            if isinstance(entry, Gap):
                continue
            if self.end_pts is not None and pts_of(entry.stored) >= self.end_pts:
                self._is_behind_end = True
                break
            found.append(MediaElement(self._index, entry.stored.element, entry.planes or ()))
        return found

    @property
    def has_ended(self) -> bool:
        if self._is_behind_end or not self._follow:
            return True
        content = self._content()
        return self._index in content.ended and self._version == self._followers.version()

    def wait(self) -> None:
        self._followers.wait(self._version, _WAIT_S)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._pinning.shutdown()

    def _content(self) -> Content:
        content = self._catalogue.find(self._name)
        if content is None or content.stream_number(self._index) != self._number:
            raise MediaError(f"content {self._name!r} was deleted while it was played")
        return content

    def _skipped(self, stored: StoredElement) -> tuple[int, int]:
        """The ticks at the beginning and the end of an element that decoders drop."""
        rate = parameters_of(self.document).get("sample_rate")
        begin, end = skipped_samples(stored.element)
        if not rate or self._timed.time_base is None:
            return 0, 0
        samples_per_tick = self._timed.time_base * rate
        return round(begin / samples_per_tick), round(end / samples_per_tick)

    def _first_sequence(self) -> int:
        first = self._look_up.first(self._number)
        return first.sequence if first else self._store.facts(self._number).next_sequence

    def _first(self, reference: str | None) -> int:
        if reference is not None:
            return self._moment(reference, is_end=False)
        found = self._look_up.first(self._number)
        if found is None and not self._follow:
            raise MediaError(f"stream {self._index} of content {self._name!r} is empty")
        return pts_of(found) + self._skipped(found)[0] if found else 0

    def _end(self, reference: str | None) -> int | None:
        if self._follow:
            return None
        if reference is not None:
            end = self._moment(reference, is_end=True)
            if end <= self.first_pts:
                raise MediaError(f"{reference!r} is not after the first moment to be played")
            return end
        last = self._look_up.last(self._number)
        return _end_of(last) - self._skipped(last)[1] if last else None

    def _moment(self, reference: str, is_end: bool) -> int:
        parsed = parse_reference(reference)
        if isinstance(parsed, Stamps):
            return parsed.first
        if isinstance(parsed, Times):
            return self._ticks(parsed.first)
        stored = self._element(parsed, reference)
        return _end_of(stored) if is_end else pts_of(stored)

    def _ticks(self, seconds: Fraction) -> int:
        try:
            return max(PTS_MIN, min(round(self._timed.ticks(seconds)), PTS_MAX))
        except NotFoundError as error:
            raise MediaError(error.detail) from error

    def _element(self, parsed: MediaReference, reference: str) -> StoredElement:
        found = self._look_up.find(self._timed, parsed).elements
        if not found:
            what = "element" if isinstance(parsed, Direct) else "place"
            raise MediaError(f"content {self._name!r} has no {what} {reference!r} in stream {self._index}")
        return found[0]


def _end_of(stored: StoredElement) -> int:
    return pts_of(stored) + (stored.element.duration or 0)
