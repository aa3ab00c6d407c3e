"""Carries elements from a feed to a sink, each at its moment: what a re-streaming job does most of the time.

What is sent next is the feed's, when it is due the pacing's, whether it arrived the delivery's business.
Plain media in order is planned in stretches, so that nothing but sending is left to do when it is due;
everything else is looked at one by one.
"""

from __future__ import annotations

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
from jobengine.worker.restream.reader import BATCH, FAST_BATCH, Entry
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
        self._stretch: Stretch | None = None
        self._next: Entry | None = None
        self._due_ns = 0
        self.forward_us = 0
        """Up to this media time a former worker is known to have sent all, though its ledger is lost."""

    def change(self, spec: RestreamSpec, outgoing: Outgoing) -> None:
        """Go by this description from the next element on. Nothing is planned: `drop_plan` came before."""
        self._spec = spec
        self._outgoing = outgoing
        self._changes_elements = not outgoing.is_plain
        self._sends_payload = not spec.metadata_only

    def begin_again(self) -> None:
        """The job did not run, and does from now on."""
        self.drop_plan()
        now_ns = self._clock.monotonic_ns()
        if self._next is None:
            self._pacing.begin(now_ns)
        else:
            self._due_ns = self._pacing.begin_again(now_ns)
        self._outgoing.retiming.begin_again()

    def run(self, milestone: Milestone | None) -> int:
        """Hand on what is due, up to the milestone, until the turn is over; when the next turn is due."""
        now_ns = self._clock.monotonic_ns()
        until_ns = now_ns + TURN_NS
        self.awaits_sink = self.is_timely = False
        if self._stretch is not None and self._stretch.milestone != milestone:
            self.drop_plan()
        for _ in range(TURN_ENTRIES):
            stretch = self._stretch or self._plan_ahead(milestone, now_ns)
            wake_ns = self._go_on(now_ns) if stretch is None else self._go_along(stretch, now_ns)
            if wake_ns is not None:
                return wake_ns
            if stretch is None and milestone is not None and milestone.is_reached(self._stream_clock):
                break
            now_ns = self._clock.monotonic_ns()
            if now_ns >= until_ns:
                break
        self.is_timely = not self._pacing.is_fast
        return now_ns

    def go_along(self, now_ns: int) -> int | None:
        """Hand on what is due of a stretch. When to go on; None: `run` has something else to look at."""
        stretch = self._stretch
        if stretch is None or self.awaits_sink:
            return None
        end = stretch.due(now_ns)
        if end >= stretch.look or not self._hand_on(stretch, end, now_ns):
            return None
        return None if stretch.sent < end or self._delivery.under_way else stretch.due_ns[end]

    def note(self) -> None:
        """Bring feed, stream clock and counters up to what was sent of a stretch."""
        stretch = self._stretch
        if stretch is None or stretch.noted == stretch.sent:
            return
        begin, end, run = stretch.noted, stretch.sent, stretch.run
        stretch.noted = end
        first, last = run.timestamps[begin], run.timestamps[end - 1]
        due_ns = stretch.due_ns[end - 1] if stretch.due_ns else stretch.sent_ns
        self._pacing.passed(self.feed.timestamp_ns(last), due_ns, stretch.sent_ns)
        if self._changes_elements:
            self._outgoing.sent(last)
        self._counters.payload_bytes += run.payload_bytes(begin, end)
        self._stream_clock.handed_on_in_order(run.elements[begin:end], first, last)
        self.feed.sent_plain(end - begin, run.sequence + end)
        if stretch.due_ns:
            self.feed.look_ahead()

    def drop_plan(self) -> None:
        """What was planned ahead is looked at anew, but for the next element, whose pause has begun."""
        stretch = self._stretch
        has_begun_pause = stretch is not None and bool(stretch.due_ns) and not stretch.is_over
        self._leave_stretch()
        if has_begun_pause:
            self._take(self._clock.monotonic_ns())

    def close(self) -> None:
        """Read no further."""
        self._leave_stretch()
        self.feed.close()

    def _leave_stretch(self) -> None:
        self.note()
        if self._stretch is not None:
            self._stretch.let_go()
            self._stretch = None

    def _plan_ahead(self, milestone: Milestone | None, now_ns: int) -> Stretch | None:
        """Plan what is at hand in one go: plain media in order, short of the milestone; None: nothing is."""
        feed, pacing, clock = self.feed, self._pacing, self._stream_clock
        if self._next is not None or feed.is_new_loop or self.forward_us or not pacing.plans_ahead:
            return None
        if feed.is_waiting and not pacing.is_fast:
            return None
        run = feed.plain(self._spec, FAST_BATCH if pacing.is_fast else BATCH)
        if not run or not pacing.is_in_order(feed.timestamp_ns(run.timestamps[0])):
            return None
        if milestone is not None and not (run := run.first(short_of(milestone, clock, run))):
            return None
        due_ns = [] if pacing.is_fast else pacing.plan([feed.timestamp_ns(each) for each in run.timestamps])
        elements = self._outgoing.run(run, due_ns[0] if due_ns else now_ns)
        if not elements:
            return None
        run, due_ns = run.first(len(elements)), due_ns[: len(elements)]
        planes = [each or () for each in run.planes] if self._sends_payload else [()] * len(run)
        record = self._record(self._outgoing.retiming.planned)
        self._stretch = Stretch(run, elements, planes, due_ns, milestone, copy(clock), record)
        self.phase = "streaming"
        return self._stretch

    def _go_along(self, stretch: Stretch, now_ns: int) -> int | None:
        """Hand on what of a stretch is due; when the next turn is due, None: this one may go on."""
        end = min(stretch.due(now_ns), stretch.sent + TURN_ENTRIES)
        if not self._hand_on(stretch, end, now_ns):
            return self._blocked(now_ns)
        self.phase = "streaming"
        if stretch.is_over:
            self._leave_stretch()
            return None if stretch.due_ns else now_ns
        if not stretch.due_ns:
            return None
        self.note()
        stretch.look_again()
        return self._wake_ns(stretch.due_ns[stretch.sent], now_ns)

    def _hand_on(self, stretch: Stretch, end: int, now_ns: int) -> bool:
        """Hand on a stretch up to ``end``, or as far as there is room; False: there is none."""
        begin = stretch.sent
        if begin == end:
            return True
        if not self._delivery.hand_on(stretch, end, now_ns):
            return False
        note = self._counters.lateness.note
        if stretch.due_ns:
            for due_ns in stretch.due_ns[begin : stretch.sent]:
                note(now_ns - due_ns)
        else:
            note(0, stretch.sent - begin)
        return True

    def _go_on(self, now_ns: int) -> int | None:
        """Look at the next element, and hand it on if it is due; when the next turn is due, None: now."""
        entry = self._next or self._take(now_ns)
        if entry is None:
            return self._idle_ns(now_ns)
        if now_ns < self._due_ns:
            return self._wake_ns(self._due_ns, now_ns)
        return None if self._send(entry, now_ns) else self._blocked(now_ns)

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
            self._due_ns = self._pacing.due_ns(feed.timestamp_ns(entry.timestamp), now_ns, feed.has_waited)
        return entry

    def _blocked(self, now_ns: int) -> int:
        """The sink has no room: when to try again."""
        self.phase, self.awaits_sink = "blocked", True
        return self._delivery.retry_ns(now_ns)

    def _idle_ns(self, now_ns: int) -> int:
        """Nothing to send now: when to look for more, or sooner for what the sink has yet to send."""
        if not self._delivery.under_way:
            return self.feed.wake_ns
        self.awaits_sink = True
        return min(self.feed.wake_ns, self._delivery.news_ns(now_ns))

    def _wake_ns(self, due_ns: int, now_ns: int) -> int:
        """When the next element is due, or sooner if the sink may tell news."""
        self.is_timely = True
        if self._delivery.under_way:
            self._delivery.settle(now_ns)
            self.awaits_sink = True
            return min(due_ns, self._delivery.news_ns(now_ns))
        return due_ns

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
                self._outgoing.sent(entry.timestamp)
            self._counters.lateness.note(self._pacing.sent(now_ns))
            self._counters.payload_bytes += entry.payload_bytes
            clock.handed_on(element, entry.timestamp)
        self._next = None
        feed.sent(entry)
        delivery.record(self._record(self._outgoing.retiming.shift))
        return True

    def _record(self, shift: int) -> Delivered:
        """What the ledger is to say once all that was handed over is safe, the last moved by ``shift``."""
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
            shift,
            clock.last_id,
        )

    def _pass_over(self, entry: Entry) -> None:
        """What a former worker is known to have sent, though its ledger is lost, is not sent again."""
        self._outgoing.retiming.plan(entry.timestamp, self._clock.monotonic_ns())
        self._outgoing.sent(entry.timestamp)
        self._stream_clock.handed_on(entry.stored.element, entry.timestamp)
        self.feed.sent(entry)
        if self._stream_clock.position >= self.forward_us:
            self.forward_us = 0
