"""Carries elements from a feed to a sink, each at its moment: what a re-streaming job does most of the time.

What is sent next is the feed's, when it is due the pacing's, whether it arrived the delivery's business. The
next element is read before it is due, so that nothing but sending is left to do then.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Final

from jobengine.clock import Clock
from jobengine.model.condition import Milestone
from jobengine.model.message import labels_of
from jobengine.model.restream import RestreamSpec
from jobengine.worker.restream.counts import Counters, StreamClock
from jobengine.worker.restream.delivery import Delivery
from jobengine.worker.restream.feed import Feed
from jobengine.worker.restream.ledger import Delivered
from jobengine.worker.restream.outgoing import Outgoing
from jobengine.worker.restream.pacing import Pacing
from jobengine.worker.restream.reader import Entry
from jobengine.worker.restream.stretch import Stretch, short_of

TURN_NS: Final = 1_000_000
TURN_ENTRIES: Final = 64
"""How long, and with how many elements, one job may keep the thread that it shares with others."""


class Conveyor:
    """One way over a stored stream, until the job seeks.

    ``phase`` is for people; ``awaits_sink``: news of the sink are a reason for another turn; ``is_timely``:
    an element waits for a moment that was set for it.
    """

    def __init__(
        self,
        feed: Feed,
        delivery: Delivery,
        pacing: Pacing,
        stream_clock: StreamClock,
        counters: Counters,
        clock: Clock,
    ) -> None:
        self.feed = feed
        self.phase = "streaming"
        self.awaits_sink = False
        self.is_timely = False
        self._delivery = delivery
        self._pacing = pacing
        self._stream_clock = stream_clock
        self._counters = counters
        self._clock = clock
        time_base = feed.time_base
        self._tick_ns = time_base.numerator * 1_000_000_000
        self._tick_parts = time_base.denominator
        self._next: Entry | None = None
        self._due_ns = 0
        self.forward_us = 0
        """Up to this media time a former worker is known to have sent all, though its ledger is lost."""

    def change(self, spec: RestreamSpec, outgoing: Outgoing) -> None:
        """Go by this description from the next element on."""
        self._spec = spec
        self._outgoing = outgoing
        self._changes_elements = not outgoing.is_plain
        self._sends_payload = not spec.metadata_only

    def begin_again(self) -> None:
        """The job did not run, and does from now on."""
        self._due_ns = self._pacing.begin_again(self._clock.monotonic_ns())
        self._outgoing.retiming.begin_again()

    def run(self, milestone: Milestone | None) -> int:
        """Hand on what is due, up to the milestone, until the turn is over; when the next turn is due."""
        now_ns = self._clock.monotonic_ns()
        until_ns = now_ns + TURN_NS
        self.awaits_sink = self.is_timely = False
        if self._pacing.is_fast and (wake_ns := self._send_stretch(milestone, now_ns)) is not None:
            return wake_ns
        for _ in range(TURN_ENTRIES):
            entry = self._next
            if entry is None:
                entry = self._take(now_ns)
                if entry is None:
                    return self.feed.wake_ns
            if now_ns < self._due_ns:
                return self._wake_ns(now_ns)
            if not self._send(entry, now_ns):
                return self._blocked(now_ns)
            if milestone is not None and milestone.is_reached(self._stream_clock):
                break
            now_ns = self._clock.monotonic_ns()
            if now_ns >= until_ns and self._next is not None:
                break
        self.is_timely = not self._pacing.is_fast
        return now_ns

    def _take(self, now_ns: int) -> Entry | None:
        """Have the next element ready, and know when it is due; None: the feed says when to look again."""
        feed = self.feed
        entry = feed.take(self._spec, self._counters, now_ns)
        if feed.is_new_loop:
            self._pacing.forget()
            self._outgoing.retiming.begin_run()
            self._stream_clock.forget()
        if entry is None:
            self._delivery.settle(now_ns)
            self.phase = "idle"
            return None
        self.phase = "streaming"
        if self.forward_us and not feed.is_end:
            self._pass_over(entry)
            feed.wake_ns = now_ns
            return None
        self._next = entry
        if feed.is_end:
            self._due_ns = now_ns
        else:
            self._due_ns = self._pacing.due_ns(self._timestamp_ns(entry), now_ns, feed.has_waited)
        return entry

    def _blocked(self, now_ns: int) -> int:
        """The sink has no room: when to try again."""
        self.phase, self.awaits_sink = "blocked", True
        return self._delivery.retry_ns(now_ns)

    def _wake_ns(self, now_ns: int) -> int:
        """When the next element is due, or sooner if the sink may tell news."""
        self.is_timely = True
        if self._delivery.under_way:
            self._delivery.settle(now_ns)
            self.awaits_sink = True
            return min(self._due_ns, self._delivery.news_ns(now_ns))
        return self._due_ns

    def _send(self, entry: Entry, now_ns: int) -> bool:
        """Hand it over, and note how far the job has come; False: the sink has no room."""
        feed, delivery, clock, element = self.feed, self._delivery, self._stream_clock, entry.stored.element
        if feed.is_end:
            labels = self._outgoing.labels(labels_of(element.attributes))
            if not delivery.offer_end(labels, element.element_id, now_ns):
                return False
        else:
            sent = self._outgoing.one(entry, self._due_ns) if self._changes_elements else element
            planes = feed.planes(entry) if self._sends_payload else ()
            if not delivery.offer((sent,), (planes,), now_ns):
                return False
            if self._changes_elements:
                self._outgoing.sent(entry)
            self._counters.lateness.note(self._pacing.sent(now_ns))
            self._counters.payload_bytes += entry.payload_bytes
            clock.handed_on(element, entry.timestamp)
        self._next = None
        feed.sent(entry)
        delivery.record(self._record())
        return True

    def _send_stretch(self, milestone: Milestone | None, now_ns: int) -> int | None:
        """Hand on what is at hand in one go; when the next turn is due, None: there was nothing.

        That is plain media in order, short of the milestone. Everything else is looked at one by one.
        """
        feed, clock = self.feed, self._stream_clock
        if self._next is not None or feed.is_new_loop or self.forward_us:
            return None
        entries = feed.plain(self._spec)
        if not entries or not self._pacing.is_in_order(self._timestamp_ns(entries[0])):
            return None
        if milestone is not None:
            entries = entries[: short_of(milestone, clock, entries)]
        elements = self._outgoing.stretch(entries, now_ns)
        planes = [entry.planes or () for entry in entries] if self._sends_payload else [()] * len(entries)
        if not elements:
            return None
        taken = self._delivery.offer(elements, planes[: len(elements)], now_ns)
        if not taken:
            return self._blocked(now_ns)
        self._note_stretch(entries[:taken], now_ns)
        return now_ns

    def _note_stretch(self, entries: Sequence[Entry], now_ns: int) -> None:
        """Note how far the job has come with elements that were sent in one go."""
        feed, clock, first, last = self.feed, self._stream_clock, entries[0], entries[-1]
        self.phase = "streaming"
        self._pacing.due_ns(self._timestamp_ns(last), now_ns, False)
        if self._changes_elements:
            self._outgoing.sent(last)
        self._counters.lateness.note(self._pacing.sent(now_ns), len(entries))
        self._counters.payload_bytes += sum([entry.payload_bytes for entry in entries])
        before = copy(clock)
        elements = [entry.stored.element for entry in entries]
        clock.handed_on_in_order(elements, first.timestamp, last.timestamp)
        feed.sent_plain(entries)
        self._delivery.record_stretch(Stretch(before, entries, self._record()))

    def _record(self) -> Delivered:
        """What the ledger is to say once all that was handed over is safe."""
        feed, clock = self.feed, self._stream_clock
        return Delivered(
            feed.number,
            feed.kind,
            feed.sequence,
            feed.first,
            feed.loop,
            feed.goal,
            clock.elements,
            clock.key_elements,
            clock.position,
            clock.timestamp,
            self._outgoing.retiming.shift,
            clock.last_id,
        )

    def _timestamp_ns(self, entry: Entry) -> int:
        return entry.timestamp * self._tick_ns // self._tick_parts

    def _pass_over(self, entry: Entry) -> None:
        """What a former worker is known to have sent, though its ledger is lost, is not sent again."""
        self._outgoing.retiming.plan(entry.timestamp, self._clock.monotonic_ns())
        self._outgoing.sent(entry)
        self._stream_clock.handed_on(entry.stored.element, entry.timestamp)
        self.feed.sent(entry)
        if self._stream_clock.position >= self.forward_us:
            self.forward_us = 0
