"""What elements look like as they leave: labels, attributes and times as the job wants them."""

from __future__ import annotations

from collections.abc import Sequence

from jobengine.clock import Clock
from jobengine.model.element import Element
from jobengine.model.message import AttributeCollision, TimeOutOfRange
from jobengine.model.restream import RestreamSpec
from jobengine.worker.restream.failures import AttributeTaken, TimestampBeyond
from jobengine.worker.restream.reader import Entry
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

    def stretch(self, entries: Sequence[Entry], now_ns: int) -> list[Element]:
        """Elements whose times do not fall, up to one that can't be changed or is moved otherwise."""
        elements = [entry.stored.element for entry in entries]
        if self.is_plain or not elements:
            return elements
        shift = self.retiming.plan(entries[0].timestamp, now_ns)
        del elements[self.retiming.alike(entries) :]
        for place, element in enumerate(elements):
            try:
                elements[place] = self._rewrite.of(element, shift)
            except (AttributeCollision, TimeOutOfRange):
                return elements[:place]
        return elements

    def sent(self, entry: Entry) -> None:
        """The element asked for last, or a stretch up to this one, is on its way."""
        self.retiming.sent(entry.timestamp)
