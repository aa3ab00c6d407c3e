"""Filter graphs as text, such as ``[0]scale=320:180[small];[1][small]overlay=x=10:y=10``.

::

    graph = chain { ";" chain }
    chain = step { "," step }            each filter feeds the next
    step  = { "[" label "]" } name [ "=" options ] { "[" label "]" }

It is FFmpeg's notation. Labels ``0``, ``1`` … are the sources in their order. A chain that begins without
labels takes all sources, if it is the only one, else the next source that nobody has taken. Exactly one
output is left over: the result. Quotes and backslashes protect signs in options. Only filters of `FILTERS`
may be named: others read files, change when pictures and samples are, or remember what was long before, so
that parts which are made apart would not fit together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jobengine.errors import MalformedError
from jobengine.model.filter_sizes import check_size

MAX_LENGTH = 4000
MAX_STEPS = 100
_PICTURES = """
    alphaextract alphamerge avgblur blend boxblur chromakey colorbalance colorchannelmixer colorkey
    colorlevels convolution copy crop drawbox drawgrid edgedetect eq fade fillborders format gblur
    geq hflip hstack hue lut lutrgb lutyuv mix negate null overlay pad pixelize rotate scale sepia
    setdar setsar sobel split swapuv transpose unsharp vflip vibrance vignette vstack xstack
"""
_SOUND = """
    aeval afade amerge amix anull asplit bandpass bandreject bass channelmap crossfeed equalizer
    extrastereo highpass highshelf join lowpass lowshelf pan stereotools stereowiden treble volume
"""
_RETIMING = """
    aloop aresample areverse asetnsamples asetpts asetrate aselect atempo atrim decimate detelecine
    fieldmatch fps framerate framestep freezeframes loop minterpolate mpdecimate pullup random reverse
    rubberband select setpts shuffleframes telecine thumbnail tile tinterlace tpad trim
"""
FILTERS: dict[str, frozenset[str]] = {
    "video": frozenset(_PICTURES.split()),
    "audio": frozenset(_SOUND.split()),
}
"""The filters that may be used, by what they filter."""
_LABEL = re.compile(r"\[([A-Za-z0-9_]{1,32})\]")
_NAME = re.compile(r"[a-z0-9_]{1,40}")
_OPTIONS = re.compile(r"=((?:[^\\'\[\],;]|\\.|'[^']*')*)", re.DOTALL)
_PROTECTED = re.compile(r"\\(.)|'([^']*)'", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One filter. ``inputs`` and ``outputs`` are labels, of those that were not given too."""

    name: str
    options: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilterGraph:
    """Steps in the order of the text; ``result`` is the label of what comes out."""

    steps: tuple[Step, ...]
    result: str


def parse_graph(text: str, kind: str, sources: int) -> FilterGraph:
    """The graph of ``text``, for ``video`` or ``audio`` of so many sources.

    Raises MalformedError that tells the place of what is wrong.
    """
    if len(text) > MAX_LENGTH:
        raise MalformedError(f"the filter has {len(text)} characters; {MAX_LENGTH} are possible")
    return _Reader(text, kind, sources).graph()


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str, kind: str, sources: int) -> None:
        self._text, self._kind = text, kind
        self._place = 0
        self._open = {str(number): None for number in range(sources)}
        """Outputs that nobody has taken, in order."""
        self._made: set[str] = set(self._open)

    def graph(self) -> FilterGraph:
        steps: list[Step] = []
        is_single = ";" not in _PROTECTED.sub("", self._text)
        while True:
            steps += self._chain(is_single, len(steps))
            if self._place == len(self._text):
                break
            self._expect(";")
        if len(self._open) != 1:
            left = ", ".join(f"[{label}]" for label in self._open) or "nothing"
            raise MalformedError(f"one output must be left over as the result; left over: {left}")
        return FilterGraph(tuple(steps), next(iter(self._open)))

    def _chain(self, is_single: bool, count: int) -> Iterator[Step]:
        before: str | None = None
        while True:
            step = self._step(before, is_single, count)
            yield step
            count += 1
            before = next((label for label in step.outputs if label.startswith("~")), None)
            if not self._text.startswith(",", self._place):
                return
            self._place += 1

    def _step(self, before: str | None, is_single: bool, count: int) -> Step:
        if count >= MAX_STEPS:
            raise MalformedError(f"the filter has more than {MAX_STEPS} steps")
        given = self._labels()
        begin = self._place
        match = _NAME.match(self._text, begin)
        if match is None:
            raise self._wrong(begin, "must be the name of a filter")
        name = match[0]
        if name not in FILTERS[self._kind]:
            raise self._wrong(begin, self._refusal(name))
        self._place = match.end()
        options = self._options()
        try:
            check_size(name, options)
        except ValueError as error:
            raise self._wrong(begin, str(error)) from None
        inputs = (*([before] if before else []), *given)
        if not inputs:
            inputs = tuple(self._open) if is_single else tuple(self._open)[:1]
        for label in inputs:
            if label not in self._open:
                raise self._wrong(begin, f"nothing that is still free is called [{label}]")
            del self._open[label]
        outputs = tuple(self._labels()) or (f"~{count}",)
        for label in outputs:
            if label in self._made:
                raise self._wrong(begin, f"[{label}] is there already")
            self._made.add(label)
            self._open[label] = None
        return Step(name, options, inputs, outputs)

    def _refusal(self, name: str) -> str:
        if name in _RETIMING.split():
            text = "pictures or samples are, and parts that are made apart would not fit together"
            return f"{name!r} changes when {text}; speed and shift of a source do that"
        there = ", ".join(sorted(FILTERS[self._kind]))
        return f"{name!r} is not a {self._kind} filter that may be used; known are {there}"

    def _labels(self) -> list[str]:
        found: list[str] = []
        while (match := _LABEL.match(self._text, self._place)) is not None:
            found.append(match[1])
            self._place = match.end()
        return found

    def _options(self) -> str:
        match = _OPTIONS.match(self._text, self._place)
        if match is None:
            return ""
        self._place = match.end()
        return _PROTECTED.sub(lambda one: one[1] if one[1] is not None else one[2], match[1])

    def _expect(self, sign: str) -> None:
        if not self._text.startswith(sign, self._place):
            raise self._wrong(self._place, f"must be {sign!r}, ',' or the end")
        self._place += 1

    def _wrong(self, place: int, text: str) -> MalformedError:
        return MalformedError(
            f"character {place + 1} of the filter ({self._text[place : place + 12]!r}): {text}"
        )
