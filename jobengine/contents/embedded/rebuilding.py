"""The index built anew from the log, when it is lost or can't be trusted.

First all segments are looked through for groups, from header to header. What was acknowledged is taken as it
stands; of what was being written when everything stopped only whole groups in unbroken order are, and the
rest is cut. Then the records of all groups are replayed in the order of their numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from itertools import count
from typing import Final

import structlog

from jobengine.contents.embedded.changes import Changes
from jobengine.contents.embedded.documents import Documents
from jobengine.contents.embedded.group import (
    GROUP_HEADER_BYTES,
    Group,
    decode_group,
    find_group,
    is_whole,
    records_of,
)
from jobengine.contents.embedded.index import Index
from jobengine.contents.embedded.record import DamagedError
from jobengine.contents.embedded.replaying import replay
from jobengine.contents.embedded.segments import Segments
from jobengine.contents.embedded.tables import SegmentRow
from jobengine.contents.embedded.tails import cut_tail

_RECORDS_AT_ONCE: Final = 50_000
"""Replayed in one transaction."""
_GROUPS_AT_ONCE: Final = 10_000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Survey:
    """What stands in the segments: which are of which class, what was acknowledged, what came behind."""

    segments: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    acknowledged: int = 0
    newest: dict[int, Group] = field(default_factory=dict)

    def forget_acknowledged(self) -> None:
        """Keep only groups that nobody may have been told of."""
        self.newest = {n: group for n, group in self.newest.items() if n > self.acknowledged}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it."""

    elements: int
    cut_bytes: int


def rebuild(index: Index, segments: Segments, salt: int) -> Rebuilt:
    """Fill an empty index from the log, and cut what nobody was told of. Nobody else may use the store."""
    survey = _survey(segments, salt)
    last = _last_whole_group(survey, segments, salt)
    elements, tails = _replay_all(survey, last, index, segments, salt)
    return Rebuilt(elements, _cut(survey, tails, segments))


def _cut(survey: Survey, tails: Mapping[int, int], segments: Segments) -> int:
    """Cut what is behind the ends of the segments that will be written to, and segments without a group."""
    written_to = {max(tails.keys() & set(numbers), default=0) for numbers in survey.segments.values()}
    cut_bytes = 0
    for number in segments.numbers():
        if number in written_to or number not in tails:
            cut_bytes += cut_tail(segments, number, tails.get(number, 0))
        if number not in tails:
            segments.remove(number)
        elif number in written_to:
            segments.sync(number)  # a group that was taken without having been acknowledged
    return cut_bytes


def _survey(segments: Segments, salt: int) -> Survey:
    survey = Survey()
    for number in segments.numbers():
        for group in _groups(segments, number, salt):
            if survey.segments[group.lifetime][-1:] != [number]:
                survey.segments[group.lifetime].append(number)
            survey.acknowledged = max(survey.acknowledged, group.acknowledged)
            survey.newest[group.number] = group
            if len(survey.newest) > _GROUPS_AT_ONCE:
                survey.forget_acknowledged()
    survey.forget_acknowledged()
    return survey


def _last_whole_group(survey: Survey, segments: Segments, salt: int) -> int:
    """The last group that counts: behind the acknowledged ones, only whole ones without a gap."""
    for number in count(survey.acknowledged + 1):
        group = survey.newest.get(number)
        if group is None:
            return number - 1
        if not is_whole(segments.read(group.segment, group.offset, group.length), group, salt):
            return number - 1
    raise AssertionError("unreachable")


def _replay_all(
    survey: Survey, last: int, index: Index, segments: Segments, salt: int
) -> tuple[int, dict[int, int]]:
    """Replay every group up to the last one; how many elements there are, and where each segment ends."""
    classes = [
        (group for number in numbers for group in _groups(segments, number, salt))
        for numbers in survey.segments.values()
    ]
    documents = Documents(index)
    tails: dict[int, int] = {}
    changes = Changes(index, index.begin())
    done = 0
    for group in merge(*classes, key=lambda group: group.number):
        if group.number > last:
            break
        _note_group(group, changes)
        tails[group.segment] = group.end
        _replay_group(group, changes, documents, segments, salt)
        done += group.count
        if done >= _RECORDS_AT_ONCE:
            changes.flush()
            changes.transaction.commit()
            changes = Changes(index, index.begin())
            done = 0
    changes.state.next_segment = max([changes.state.next_segment, *(n + 1 for n in segments.numbers())])
    changes.flush()
    elements: int = changes.transaction.stat(index.table["rows"])["entries"]
    changes.transaction.commit()
    return elements, tails


def _note_group(group: Group, changes: Changes) -> None:
    changes.state.group = max(changes.state.group, group.number)
    if changes.open_segment(group.lifetime) != group.segment:
        changes.add_segment(group.segment, SegmentRow(group.lifetime, first_number=group.number))
    row = changes.segment(group.segment)
    row.last_number, row.last_group, row.tail = group.number, group.offset, group.end


def _replay_group(
    group: Group, changes: Changes, documents: Documents, segments: Segments, salt: int
) -> None:
    data = segments.read(group.segment, group.offset, group.length)
    try:
        for record in records_of(data, group, salt):
            replay(record, group.segment, changes, documents)
    except DamagedError as fault:
        log.error("contents_damaged", segment=group.segment, offset=group.offset, fault=str(fault))


def _groups(segments: Segments, number: int, salt: int) -> Iterator[Group]:
    """The groups of a segment; what is damaged between them is skipped and said."""
    offset, size = 0, segments.size(number)
    while offset + GROUP_HEADER_BYTES <= size:
        head = segments.read(number, offset, GROUP_HEADER_BYTES)
        group = decode_group(head, 0, offset, number, salt)
        if group is None or group.end > size:
            group = find_group(segments.read(number, offset, size - offset), offset, number, salt)
            if group is None:
                return
            log.error("contents_damaged", segment=number, offset=offset, skipped=group.offset - offset)
        yield group
        offset = group.end
