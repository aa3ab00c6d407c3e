"""When what is derived of other contents is made."""

from __future__ import annotations

from enum import StrEnum


class Making(StrEnum):
    """When the elements of a derived content are made."""

    PROVIDED = "provided"
    """Whoever writes them does; nothing is made here."""
    JUST_IN_TIME = "justInTime"
    """When somebody asks for one that is not there."""
    JUST_IN_CASE = "justInCase"
    """As soon as the source has them."""
