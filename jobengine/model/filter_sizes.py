"""How large the pictures may be that a filter is told to make, as far as its options say it in numbers."""

from __future__ import annotations

from collections.abc import Iterator

MAX_SIDE = 16_384
"""Pixels of width or height at most."""
_MAKE_SIZES = frozenset({"scale", "pad"})
_SIDES = frozenset({"w", "width", "h", "height"})
_SIZE = frozenset({"s", "size"})


def check_size(name: str, options: str) -> None:
    """Raise ValueError if the options of the filter ``name`` ask for more than `MAX_SIDE`."""
    if name not in _MAKE_SIZES:
        return
    for text in _sides(options):
        if _number(text) > MAX_SIDE:
            raise ValueError(f"{name} may make {MAX_SIDE} pixels a side at most, not {text}")


def _sides(options: str) -> Iterator[str]:
    """What stands for a side: the first two options without a name, and those with one of its names."""
    for place, option in enumerate(options.split(":")):
        name, sign, value = option.partition("=")
        if not sign and place < 2:
            yield from name.split("x")
        elif name in _SIDES:
            yield value
        elif name in _SIZE:
            yield from value.split("x")


def _number(text: str) -> float:
    """A number as it stands there; 0 for an expression, whose result is seen in what is made."""
    try:
        return float(text)
    except ValueError:
        return 0
