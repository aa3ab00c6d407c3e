"""Runs of removed sequences of a stream: written joined, so that a reader meets few."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from jobengine.contents.redis_store.order import BEHIND_ALL, gap_bounds, gap_member, sequence_bytes
from jobengine.contents.redis_store.request import Request
from jobengine.contents.redis_store.server import RedisServer
from jobengine.contents.redis_store.wire import Command

Run = tuple[int, int]
"""First and last sequence, both inclusive."""


def add_gaps(key: bytes, removed: Iterable[int], server: RedisServer, request: Request) -> None:
    """Add to the request what makes these sequences gaps, joined with those that they touch."""
    runs = joined((sequence, sequence) for sequence in removed)
    replies = server.call_all([command for run in runs for command in _neighbours(key, run)])
    there = {gap_bounds(member) for members in replies for member in members}
    firsts, lasts = {run[0] for run in runs}, {run[1] for run in runs}
    touching = {gap for gap in there if gap[1] + 1 in firsts or gap[0] - 1 in lasts}
    for gap in touching:
        request.add("ZREM", key, gap_member(*gap))
    words = [word for run in joined([*runs, *touching]) for word in (0, gap_member(*run))]
    request.add_many("ZADD", key, words, 2)


def joined(runs: Iterable[Run]) -> list[Run]:
    """Runs in order, those that touch made one."""
    ordered = sorted(runs)
    starts = [ordered[0], *(right for left, right in pairwise(ordered) if right[0] > left[1] + 1)]
    ends = [*(left[1] for left, right in pairwise(ordered) if right[0] > left[1] + 1), ordered[-1][1]]
    return [(start[0], end) for start, end in zip(starts, ends, strict=True)]


def _neighbours(key: bytes, run: Run) -> list[Command]:
    first, behind = sequence_bytes(run[0]), sequence_bytes(run[1] + 1)
    return [
        ("ZREVRANGEBYLEX", key, b"(" + first, b"-", "LIMIT", 0, 1),
        ("ZRANGEBYLEX", key, b"[" + behind, b"[" + behind + BEHIND_ALL, "LIMIT", 0, 1),
    ]
