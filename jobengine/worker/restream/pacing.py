"""When each element is due: the media timeline, clamped and stretched, laid over the host's clock.

Pure arithmetic in whole nanoseconds; whoever uses it reads the clock and waits. Elements are planned one by
one, or many ahead where nothing that happens meanwhile could move them. Two rules:

- ``absolute``: the due times are one schedule, the sum of all pauses. Being late moves none of them, so
  lost time is made good. Only where the store had nothing to send is the schedule moved: that time was
  never lost.
- ``upstream``: Savant Replay's own rule. A pause begins when the element before was sent; what sending
  took is subtracted, and once what the last sleep took too long. Lost time stays lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobengine.model.pacing import PacingSpec
from jobengine.worker.restream.failures import IncorrectTimestamp


class Pacing:
    """Plans one element after the other. Call `begin`, then `due_ns` and `sent` in turn for each."""

    def __init__(self, spec: PacingSpec) -> None:
        self.change(spec)
        self._previous_ns: int | None = None
        self._below_top = 0
        self._schedule_ns = 0
        self._sent_ns = 0
        self._skew_ns = 0
        self._target_ns = 0
        self._pause_ns = 0
        self.discrepancies = 0
        self.shifted_ns = 0
        """How far the schedule was moved because there was nothing to send."""

    def change(self, spec: PacingSpec) -> None:
        """Go on by other rules from the next element on."""
        self.is_fast, self._is_absolute = spec.mode == "fast", spec.mode == "absolute"
        self._speed = spec.speed
        self._minimum_ns = round(spec.min_duration_ms * 1e6)
        self._maximum_ns = round(spec.max_duration_ms * 1e6)
        self._fix_ns = round(spec.discrepancy_fix_ms * 1e6)
        self._must_stop = spec.stop_on_incorrect_ts
        self._reorder = spec.reorder

    def begin(self, now_ns: int) -> None:
        """The next pause begins now: at the start and after a pause of the job."""
        self._schedule_ns = self._sent_ns = now_ns
        self._skew_ns = 0

    def begin_again(self, now_ns: int) -> int:
        """The pause of the element that waits begins anew: when that is due."""
        self.begin(now_ns)
        self._schedule_ns = self._target_ns = now_ns + self._pause_ns
        return self._target_ns

    def forget(self) -> None:
        """The next element is no successor of the last one: it was sought, or a loop begins."""
        self._previous_ns, self._below_top = None, 0

    def is_in_order(self, timestamp_ns: int) -> bool:
        """Whether the element with this timestamp is no step back."""
        return self._previous_ns is None or timestamp_ns >= self._previous_ns

    def due_ns(self, timestamp_ns: int, now_ns: int, has_waited: bool) -> int:
        """When the element with this timestamp is due. Raises IncorrectTimestamp.

        ``has_waited``: the store did not have it when it was looked for first.
        """
        previous_ns = self._previous_ns
        if previous_ns is not None and timestamp_ns >= previous_ns:
            self._previous_ns, self._below_top = timestamp_ns, 0
            pause_ns = timestamp_ns - previous_ns
        else:
            pause_ns = self._unusual_step_ns(timestamp_ns)
        if self.is_fast:
            self._schedule_ns, self._target_ns, self._pause_ns = now_ns, now_ns, 0
            return now_ns
        self._pause_ns = pause_ns = self._of_step(pause_ns)
        self._schedule_ns += pause_ns
        if has_waited and self._schedule_ns < now_ns:
            self.shifted_ns += now_ns - self._schedule_ns
            self._schedule_ns = now_ns
        if self._is_absolute:
            self._target_ns = self._schedule_ns
        else:
            pause_ns = max(0, pause_ns - (now_ns - self._sent_ns))
            self._target_ns = now_ns + max(0, pause_ns - self._skew_ns)
        return self._target_ns

    @property
    def plans_ahead(self) -> bool:
        """Whether it is known when elements are due before those before them were sent."""
        return self.is_fast or self._is_absolute

    def plan(self, timestamps_ns: Sequence[int]) -> list[int]:
        """When each of some elements in order is due, if none of them has to be waited for; `passed` says how
        many of them were sent. As fast as it goes: empty."""
        if self.is_fast:
            return []
        schedule_ns, due_ns = self._schedule_ns, []
        previous_ns = timestamps_ns[0] if self._previous_ns is None else self._previous_ns
        for timestamp_ns in timestamps_ns:
            schedule_ns += self._of_step(timestamp_ns - previous_ns)
            previous_ns = timestamp_ns
            due_ns.append(schedule_ns)
        return due_ns

    def passed(self, timestamp_ns: int, due_ns: int, sent_ns: int) -> None:
        """Some of what was planned, up to this one, was sent."""
        self._previous_ns, self._below_top = timestamp_ns, 0
        self._schedule_ns = self._target_ns = due_ns
        self._sent_ns = sent_ns

    def sent(self, now_ns: int) -> int:
        """The element is being sent now; how far behind the absolute schedule that is."""
        self._skew_ns = max(0, now_ns - self._target_ns)
        self._sent_ns = now_ns
        return now_ns - self._schedule_ns

    def _of_step(self, step_ns: int) -> int:
        """The pause for a step of media: by the speed, and within its limits."""
        if self._speed != 1.0:
            step_ns = round(step_ns / self._speed)
        if self._minimum_ns <= step_ns <= self._maximum_ns:
            return step_ns
        return max(self._minimum_ns, min(self._maximum_ns, step_ns))

    def _unusual_step_ns(self, timestamp_ns: int) -> int:
        """Of the first element nothing; where the timestamp falls back, what is set for that."""
        previous_ns = self._previous_ns
        if previous_ns is None:
            self._previous_ns = timestamp_ns
            return 0
        self._below_top += 1
        if self._below_top <= self._reorder:
            return 0
        self._previous_ns, self._below_top = timestamp_ns, 0
        self.discrepancies += 1
        if self._must_stop:
            fall_ms = (previous_ns - timestamp_ns) / 1e6
            raise IncorrectTimestamp(f"a timestamp falls back by {fall_ms:g} ms")
        return self._fix_ns
