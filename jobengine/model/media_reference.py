"""Media references: how an address names elements of a stream, such as ``108000`` or ``1m30s-2m``.

::

    reference = direct | id | anchor | stamps | places | times | relative , [ ".json" ]
    direct    = ( "packet_" | "frame_" ) int                 one element by kind and pts
    id        = "id_" uuid                                   one element by its id
    anchor    = "start" | "end" | "latest"                   first, last element
    stamps    = int ["f"] [ "-" int ["f"] ]                  pts; f: the nearest; at the end only with it
    places    = place [ "-" ( digits [ending] | "last" ) ]   1-based ranks in order of pts
    place     = "first" | "last" | digits ending             no zero in front; "last" may only end a range
    ending    = "st" | "nd" | "rd" | "th"                    need not fit the number
    times     = time [ "-" ( time | sec ) ]                  real time
    time      = sec "s"
              | ["-"] digits "h" [ digits "m" ] [ digits ["." digits] "s" ]
              | ["-"] digits "m" [ digits ["." digits] "s" ]
              | ["-"] digits ":" digit digit ":" digit digit ["." digits]
    relative  = int ["f"] ( "+" | "-" ) digits "d"           the n-th element after or before that pts
    int       = ["-"] digits                                 64-bit signed; leading zeros are fine
    sec       = ["-"] digits [ "." [digits] ]

Digits are ASCII. Minutes and seconds after a larger unit are below 60. Both ends of a range are inclusive.
What a reference finds in a store is `jobengine.contents.look_up`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NoReturn
from uuid import UUID

from jobengine.errors import MalformedError
from jobengine.model.element import PTS_MAX, PTS_MIN, ElementKind

LAST: Final = -1
"""The rank of the last element."""
MAX_LENGTH: Final = 200
_MAX_DIGITS: Final = 20
_DIGITS = re.compile(r"[0-9]+")
_ENDING = re.compile(r"st|nd|rd|th")
_KINDS = {"packet_": ElementKind.PACKET, "frame_": ElementKind.FRAME}
_ANCHORS = ("start", "end", "latest")


@dataclass(frozen=True, slots=True)
class Direct:
    """One element by its kind and exact pts."""

    kind: ElementKind
    pts: int

    def __str__(self) -> str:
        return f"{self.kind.name.lower()}_{self.pts}"


@dataclass(frozen=True, slots=True)
class ById:
    """One element by the 16 bytes of its id."""

    element_id: bytes

    def __str__(self) -> str:
        return f"id_{UUID(bytes=self.element_id)}"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The first (``start``) or the last (``end``, ``latest``) element."""

    word: str

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True, slots=True)
class Stamps:
    """Elements by pts. ``last`` is None unless it is a range; fuzzy: the start is the nearest there is."""

    first: int
    last: int | None = None
    is_fuzzy: bool = False

    def __str__(self) -> str:
        end = "" if self.last is None else f"-{self.last}"
        return f"{self.first}{'f' if self.is_fuzzy else ''}{end}"


@dataclass(frozen=True, slots=True)
class Places:
    """Elements by rank in order of pts, from 0, or `LAST`. ``last`` is None unless it is a range."""

    first: int
    last: int | None = None

    def __str__(self) -> str:
        end = "" if self.last is None else f"-{_ordinal(self.last)}"
        return f"{_ordinal(self.first)}{end}"


@dataclass(frozen=True, slots=True)
class Times:
    """Elements by real time in seconds. ``last`` is None unless it is a range."""

    first: Fraction
    last: Fraction | None = None

    def __str__(self) -> str:
        end = "" if self.last is None else f"-{_seconds(self.last)}s"
        return f"{_seconds(self.first)}s{end}"


@dataclass(frozen=True, slots=True)
class Relative:
    """The ``offset``-th element after or before a pts; fuzzy: of the element nearest to it."""

    base: int
    offset: int
    is_backward: bool = False
    is_fuzzy: bool = False

    def __str__(self) -> str:
        sign = "-" if self.is_backward else "+"
        return f"{self.base}{'f' if self.is_fuzzy else ''}{sign}{self.offset}d"


MediaReference = Direct | ById | Anchor | Stamps | Places | Times | Relative


def parse_reference(text: str) -> MediaReference:
    """What ``text`` refers to. Raises MalformedError with the column, from 1, where it goes wrong."""
    if len(text) > MAX_LENGTH:
        raise MalformedError(f"a media reference has {MAX_LENGTH} characters at most", column=MAX_LENGTH + 1)
    return _Reader(text).read()


class _Reader:
    """Reads one reference from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = len(text) - len(".json") if text.endswith(".json") else len(text)
        self._at = 0

    def read(self) -> MediaReference:
        """All of it."""
        found = self._word() or self._numbers()
        if self._at < self._end:
            self._refuse("the end")
        return found

    def _word(self) -> MediaReference | None:
        for word in _ANCHORS:
            if self._text[: self._end] == word:
                self._at = self._end
                return Anchor(word)
        for prefix, kind in _KINDS.items():
            if self._take(prefix):
                return Direct(kind, self._stamp())
        if self._take("id_"):
            return self._id()
        return None

    def _id(self) -> ById:
        text = self._text[self._at : self._end]
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
            self._refuse("a UUID")
        self._at = self._end
        return ById(UUID(text).bytes)

    def _numbers(self) -> MediaReference:
        if self._take("first"):
            return self._places(0)
        if self._take("last"):
            return Places(LAST)
        begin = self._at
        is_negative = self._take("-")
        digits = self._digits("a number, packet_, frame_, id_, start, end, latest, first or last")
        if not is_negative and self._is_at(_ENDING):
            if digits.startswith("0"):
                self._at = begin
                self._refuse("a number from 1 without zeros in front")
            return self._places(self._rank(digits, begin))
        seconds = self._time(digits, is_negative)
        if seconds is not None:
            return self._times(seconds)
        if self._fraction(digits) != digits:
            self._refuse("s")
        return self._stamps(self._in_range(digits, is_negative, begin))

    def _places(self, first: int) -> Places:
        if not self._take("-"):
            return Places(first)
        if self._take("last"):
            return Places(first, LAST)
        begin = self._at
        digits = self._digits("a number or last")
        self._is_at(_ENDING)
        return Places(first, self._rank(digits, begin))

    def _rank(self, digits: str, begin: int) -> int:
        number = int(digits)
        if not 0 < number <= PTS_MAX:
            self._at = begin
            self._refuse(f"a number from 1 to {PTS_MAX}")
        return number - 1

    def _stamps(self, first: int) -> Stamps | Relative:
        is_fuzzy = self._take("f")
        if self._take("+"):
            return Relative(first, self._offset(), False, is_fuzzy)
        if not self._take("-"):
            return Stamps(first, None, is_fuzzy)
        begin = self._at
        is_negative = self._take("-")
        digits = self._digits("a number")
        if not is_negative and self._take("d"):
            return Relative(first, self._in_range(digits, False, begin), True, is_fuzzy)
        last = self._in_range(digits, is_negative, begin)
        if is_fuzzy:
            self._take("f")
        return Stamps(first, last, is_fuzzy)

    def _offset(self) -> int:
        begin = self._at
        digits = self._digits("the number of elements")
        if not self._take("d"):
            self._refuse("d")
        return self._in_range(digits, False, begin)

    def _times(self, first: Fraction) -> Times:
        if not self._take("-"):
            return Times(first)
        is_negative = self._take("-")
        digits = self._digits("a time")
        last = self._time(digits, is_negative)
        if last is None:
            last = _signed(Fraction(self._fraction(digits)), is_negative)
        return Times(first, last)

    def _time(self, digits: str, is_negative: bool) -> Fraction | None:
        """The time that begins with ``digits``; None, nothing taken, if it is none."""
        if self._take(":"):
            return _signed(int(digits) * 3600 + self._clock(), is_negative)
        if self._take("h"):
            return _signed(int(digits) * 3600 + self._units("m", "s"), is_negative)
        if self._take("m"):
            return _signed(int(digits) * 60 + self._units("s"), is_negative)
        begin = self._at
        number = self._fraction(digits)
        if self._take("s"):
            return _signed(Fraction(number), is_negative)
        self._at = begin
        return None

    def _fraction(self, digits: str) -> str:
        if not self._take("."):
            return digits
        match = _DIGITS.match(self._text, self._at, self._end)
        self._at = match.end() if match else self._at
        return f"{digits}.{match.group() if match else 0}"

    def _clock(self) -> Fraction:
        minutes = self._sixtieth("two digits of minutes")
        if not self._take(":"):
            self._refuse("':'")
        seconds = Fraction(self._sixtieth("two digits of seconds"))
        if self._take("."):
            digits = self._digits("digits")
            seconds += Fraction(int(digits), 10 ** len(digits))
        return minutes * 60 + seconds

    def _sixtieth(self, what: str) -> int:
        begin = self._at
        digits = self._digits(what)
        if len(digits) != 2 or int(digits) >= 60:
            self._at = begin
            self._refuse(f"{what}, 00 to 59")
        return int(digits)

    def _units(self, *units: str) -> Fraction:
        """What follows a larger unit: each of ``units`` at most once, in this order."""
        total, left = Fraction(0), list(units)
        while left and _DIGITS.match(self._text, self._at, self._end):
            begin = self._at
            number = Fraction(self._fraction(self._digits("a number")))
            unit = next((unit for unit in left if self._take(unit)), None)
            if unit is None or (unit == "m" and number.denominator != 1):
                self._refuse(" or ".join(left))
            if number >= 60:
                self._at = begin
                self._refuse("a number below 60")
            total += number * (60 if unit == "m" else 1)
            left = left[left.index(unit) + 1 :]
        return total

    def _stamp(self) -> int:
        begin = self._at
        is_negative = self._take("-")
        return self._in_range(self._digits("a number"), is_negative, begin)

    def _in_range(self, digits: str, is_negative: bool, begin: int) -> int:
        value = -int(digits) if is_negative else int(digits)
        if not PTS_MIN <= value <= PTS_MAX:
            self._at = begin
            self._refuse("a signed number of 64 bits")
        return value

    def _digits(self, expected: str) -> str:
        match = _DIGITS.match(self._text, self._at, self._end)
        if match is None:
            self._refuse(expected)
        if len(match.group().lstrip("0")) > _MAX_DIGITS:
            self._refuse(f"a number of {_MAX_DIGITS} digits at most")
        self._at = match.end()
        return match.group()

    def _is_at(self, pattern: re.Pattern[str]) -> bool:
        """Take ``pattern`` if it stands here."""
        match = pattern.match(self._text, self._at, self._end)
        if match is None:
            return False
        self._at = match.end()
        return True

    def _take(self, literal: str) -> bool:
        if not self._text.startswith(literal, self._at, self._end):
            return False
        self._at += len(literal)
        return True

    def _refuse(self, expected: str) -> NoReturn:
        found = repr(self._text[self._at]) if self._at < self._end else "the end"
        raise MalformedError(
            f"{self._text!r} is not a media reference: at column {self._at + 1} there is {found} "
            f"where {expected} is expected",
            column=self._at + 1,
        )


def _signed(value: Fraction | int, is_negative: bool) -> Fraction:
    return Fraction(-value if is_negative else value)


def _ordinal(rank: int) -> str:
    if rank == LAST:
        return "last"
    number = rank + 1
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"


def _seconds(value: Fraction) -> str:
    """A decimal without loss; times that were read have one."""
    whole, rest = divmod(abs(value), 1)
    digits = ""
    while rest:
        digit, rest = divmod(rest * 10, 1)
        digits += str(digit)
    return f"{'-' if value < 0 else ''}{whole}{'.' if digits else ''}{digits}"
