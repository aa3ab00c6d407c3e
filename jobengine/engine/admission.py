"""Who may send where: bounds on re-streaming jobs at once, and a lease on each resulting stream of a sink.

Two jobs that send one stream to one sink would mix their elements, so the second one waits its turn, is
refused, or takes over, as the operator decides. Jobs that wait are admitted in the order in which they
asked, but for those that fit before one that does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Lease = Literal["queue", "refuse", "preempt"]


@dataclass(frozen=True, slots=True)
class AdmissionTerms:
    """Bounds of one service; 0 is none."""

    jobs: int = 0
    jobs_per_sink: int = 0
    jobs_per_stream: int = 0
    lease: Lease = "queue"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a job needs: its sink, the stored stream it reads, and the stream it sends."""

    sink: str
    stored: str
    resulting: str

    @property
    def lease(self) -> tuple[str, str]:
        """What one job has at a time."""
        return (self.sink, self.resulting)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``waits_for`` tells why a job may not begin; empty: it may. ``is_refused``: nor will it ever.
    ``holder``: the job that has to give way."""

    waits_for: str = ""
    is_refused: bool = False
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """A job that waits: for what, and its place (from 1) among ``waiting`` jobs, in the order of asking."""

    waits_for: str
    place: int
    waiting: int


@dataclass(slots=True)
class _Used:
    sinks: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    leases: dict[tuple[str, str], str] = field(default_factory=dict)


def claim_of(description: Mapping[str, Any]) -> Claim | None:
    """What an effective description needs; None for kinds of work that are not bounded."""
    spec = description.get("restreamSpec")
    if not spec:
        return None
    source = spec.get("source") or {}
    stored = f"{source.get('content')}/{source.get('stream', 0)}"
    return Claim((spec.get("sink") or {}).get("url", ""), stored, spec.get("resultingStream", ""))


class Admission:
    """Claims of the jobs that have a worker or are given one, and those that wait."""

    def __init__(self, terms: AdmissionTerms | None = None) -> None:
        self._terms = terms or AdmissionTerms()
        self._held: dict[str, Claim] = {}
        self._waiting: dict[str, Claim] = {}
        self._used = _Used()
        self._has_room = False

    def ask(self, job_id: str, claim: Claim) -> Verdict:
        """May this job begin? If so it holds what it claims from now on; else it waits, or is refused."""
        if job_id in self._held:
            return Verdict()
        verdict = self._look(claim)
        if not verdict.waits_for:
            self._waiting.pop(job_id, None)
            self.hold(job_id, claim)
        elif not verdict.is_refused:
            self._waiting.setdefault(job_id, claim)
        return verdict

    def queued(self, job_id: str) -> Queued | None:
        """What a job waits for at this moment; None if it does not."""
        claim = self._waiting.get(job_id)
        if claim is None:
            return None
        place = list(self._waiting).index(job_id) + 1
        return Queued(self._look(claim).waits_for, place, len(self._waiting))

    def hold(self, job_id: str, claim: Claim) -> None:
        """A job has what it claims already, such as one that a former service left running."""
        if job_id not in self._held:
            self._held[job_id] = claim
            self._used.sinks[claim.sink] += 1
            self._used.stored[claim.stored] += 1
            self._used.leases.setdefault(claim.lease, job_id)

    def release(self, job_id: str) -> None:
        """A job is over, or has no worker any more."""
        self._waiting.pop(job_id, None)
        claim = self._held.pop(job_id, None)
        if claim is not None:
            self._used.sinks[claim.sink] -= 1
            self._used.stored[claim.stored] -= 1
            if self._used.leases.get(claim.lease) == job_id:
                del self._used.leases[claim.lease]
            self._has_room = bool(self._waiting)

    def keep_only(self, job_ids: Iterable[str]) -> None:
        """Release all others: what was decided about them was never committed."""
        for job_id in set(self._held) - set(job_ids):
            self.release(job_id)

    def admissible(self) -> list[str]:
        """The jobs that may ask again now, in order; not told a second time until something is released."""
        if not self._has_room:
            return []
        self._has_room = False
        return [job_id for job_id, claim in self._waiting.items() if not self._look(claim).waits_for]

    @property
    def has_room(self) -> bool:
        """Whether something was released while jobs wait."""
        return self._has_room

    def _look(self, claim: Claim) -> Verdict:
        terms, used = self._terms, self._used
        holder = used.leases.get(claim.lease)
        if holder is not None:
            text = f"job {holder} sends stream {claim.resulting!r} to this sink"
            return Verdict(text, terms.lease == "refuse", holder if terms.lease == "preempt" else "")
        if terms.jobs and len(self._held) >= terms.jobs:
            return Verdict(f"{terms.jobs} re-streaming jobs run, as many as may")
        if terms.jobs_per_sink and used.sinks[claim.sink] >= terms.jobs_per_sink:
            return Verdict(f"{terms.jobs_per_sink} jobs send to this sink, as many as may")
        if terms.jobs_per_stream and used.stored[claim.stored] >= terms.jobs_per_stream:
            return Verdict(f"{terms.jobs_per_stream} jobs read {claim.stored}, as many as may")
        return Verdict()
