"""Recipe ``summary``: what streams hold, as text for people or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

import msgspec

from jobengine.model.beam.streams import kind_of_stream, time_base_of
from jobengine.model.casing import CamelModel
from jobengine.model.recipe import Recipe, Result, Source, Task

Json = Any


class Summary(Recipe):
    """Counts, bounds and codec of each source's whole stream; no payload is read."""

    class Parameters(CamelModel):
        """``format``: ``json`` or ``text``."""

        format: Literal["json", "text"] = "json"

    def run(self, task: Task, parameters: Parameters) -> Result:
        """One entry for each source."""
        entries = []
        for source in task.sources:
            entries.append(_entry(source))
            task.passed()
        if parameters.format == "json":
            return Result(msgspec.json.encode(entries), media_type="application/json")
        text = "".join(_lines(entry) for entry in entries)
        return Result(text.encode(), media_type="text/plain; charset=utf-8")


def _entry(source: Source) -> dict[str, Json]:
    facts, base = source.facts, time_base_of(source.stream)
    codec = source.stream.get("codecpar") or {}
    wanted = ("width", "height", "sample_rate", "channels", "format")
    entry: dict[str, Json] = {
        "content": source.content,
        "stream": source.index,
        "kind": kind_of_stream(source.stream),
        "codec": codec.get("name"),
        **{name: codec[name] for name in wanted if codec.get(name) is not None},
        "elements": facts.count,
        "keyElements": facts.key_count,
        "payloadBytes": facts.payload_bytes,
        "firstPts": facts.first_pts,
        "lastPts": facts.last_pts,
    }
    if base is not None and facts.first_pts is not None and facts.last_pts is not None:
        entry["spanS"] = float(round((facts.last_pts - facts.first_pts) * base, 6))
        entry["timeBase"] = [base.numerator, base.denominator]
    return entry


def _lines(entry: Mapping[str, Json]) -> str:
    """A heading and one line for each fact."""
    facts = {
        name: text for name, text in entry.items() if name not in ("content", "stream") and text is not None
    }
    told = "".join(f"  {name}: {_told(text)}\n" for name, text in facts.items())
    return f"{entry['content']} stream {entry['stream']}\n{told}"


def _told(value: Json) -> str:
    return str(Fraction(*value)) if isinstance(value, list) else str(value)
