"""What elements look like as they leave: labels, attributes and times as the job wants them."""

from __future__ import annotations

from collections.abc import Sequence

from jobengine.clock import Clock
from jobengine.model.element import Element
from jobengine.model.message import AttributeCollision, TimeOutOfRange
from jobengine.model.restream import RestreamSpec
from jobengine.worker.restream.failures import AttributeTaken, TimestampBeyond
from jobengine.worker.restream.reader import Entry, Run
from jobengine.worker.restream.retiming import Retiming


class Outgoing:
    """Changes elements by a specification: ask for one as often as it is offered; `sent` says that it is on
    its way. ``is_plain``: they leave as they are stored, so that neither is needed.
    """

    def __init__(self, clock: Clock) -> None:
        self.retiming = Retiming(clock)
        self.change(RestreamSpec())

    def change(self, spec: RestreamSpec) -> None:
        """Go by this specification from the next element on."""
        self._rewrite = spec.rewrite()
        self.retiming.change(spec)
        self.is_plain = self._rewrite.changes_nothing and not self.retiming.is_on

    def labels(self, stored: Sequence[str] = ()) -> list[str]:
        """The routing labels of an end of stream that has these."""
        return self._rewrite.new_labels(stored)

    def one(self, entry: Entry, due_ns: int) -> Element:
        """An element that is due then. Raises AttributeTaken, TimestampBeyond."""
        shift = self.retiming.plan(entry.timestamp, due_ns)
        try:
            return self._rewrite.of(entry.stored.element, shift)
        except AttributeCollision as error:
            raise AttributeTaken(str(error)) from error
        except TimeOutOfRange as error:
            raise TimestampBeyond(str(error)) from error

    def run(self, run: Run, now_ns: int) -> Sequence[Element]:
        """The elements of a run, up to one that can't be changed or is moved otherwise."""
        if self.is_plain or not run.elements:
            return run.elements
        shift = self.retiming.plan(run.timestamps[0], now_ns)
        elements: list[Element] = []
        for element in run.elements[: self.retiming.alike(run.timestamps)]:
            try:
                elements.append(self._rewrite.of(element, shift))
            except (AttributeCollision, TimeOutOfRange):
                break
        return elements

    def sent(self, timestamp: int) -> None:
        """The element of this time, asked for last, or a run up to it is on its way."""
        self.retiming.sent(timestamp)
