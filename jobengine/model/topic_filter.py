"""Which topics a source takes: all, one source, or those that begin with a prefix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TopicFilter:
    """``source``: exactly this topic; ``prefix``: those that begin so; neither: all. Never both."""

    source: bytes | None = None
    prefix: bytes = b""

    @property
    def subscription(self) -> bytes:
        """What all topics that pass begin with."""
        return self.prefix if self.source is None else self.source

    def passes(self, topic: bytes) -> bool:
        """Whether elements of this topic are taken."""
        return topic == self.source if self.source is not None else topic.startswith(self.prefix)
