"""The directives ``lifecycle-picture`` and ``lifecycle-table``, both drawn from the lifecycle's table."""

from __future__ import annotations

import math
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from jobengine.model.lifecycle import ACTIVE_STATES, TABLE, EngineRequest, JobState
from rst import table

PLACES = {
    JobState.PENDING: (80, 150),
    JobState.WAITING: (270, 50),
    JobState.RUNNING: (510, 50),
    JobState.PAUSED: (510, 250),
    JobState.UPDATING: (270, 250),
    JobState.FINISHED: (760, 45),
    JobState.CANCELLED: (760, 115),
    JobState.ERROR: (760, 185),
    JobState.TERMINATED: (760, 255),
}
ASIDE = 6
"""Two arrows between the same boxes run side by side, this far from the middle."""
WIDTH, HEIGHT = 110, 36
HALO = "stroke:var(--color-background-primary, white);stroke-width:4;paint-order:stroke"
STYLE = "fill:none;stroke:currentColor;stroke-width:1.2"


def requests_by_pair() -> dict[tuple[JobState, JobState], list[str]]:
    """Between which states an arrow leads, and what asks for it."""
    pairs: dict[tuple[JobState, JobState], list[str]] = {}
    for arrow in TABLE:
        if arrow.source is not arrow.target:
            pairs.setdefault((arrow.source, arrow.target), []).append(str(arrow.requested))
    return pairs


def svg() -> str:
    """The picture. Arrows to final states leave the frame, as every active state has them."""
    active = "".join(_box(state) for state in JobState)
    arrows = "".join(
        _arrow(source, target, ", ".join(words))
        for (source, target), words in requests_by_pair().items()
        if not target.is_final
    )
    finals = "".join(_exit(state) for state in JobState if state.is_final)
    return (
        '<svg viewBox="0 0 830 310" role="img" aria-label="The lifecycle of a job" '
        'style="max-width:100%;font:13px sans-serif" fill="currentColor">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
        f'<rect x="10" y="15" width="580" height="280" rx="10" style="{STYLE};stroke-dasharray:5 4"/>'
        f'<text x="22" y="286" style="font-size:11px">active</text>{arrows}{finals}{active}</svg>'
    )


def _box(state: JobState) -> str:
    x, y = PLACES[state]
    return (
        f'<rect x="{x - WIDTH / 2}" y="{y - HEIGHT / 2}" width="{WIDTH}" height="{HEIGHT}" rx="8" '
        f'style="fill:var(--color-background-primary, white);stroke:currentColor"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle">{state}</text>'
    )


def _arrow(source: JobState, target: JobState, words: str) -> str:
    """A line with its words near its start, so that those of the way back don't cover them."""
    (x1, y1), (x2, y2) = PLACES[source], PLACES[target]
    length = math.hypot(x2 - x1, y2 - y1)
    right, down = -(y2 - y1) / length * ASIDE, (x2 - x1) / length * ASIDE
    ax, ay = _edge(x1 + right, y1 + down, x2 + right, y2 + down)
    bx, by = _edge(x2 + right, y2 + down, x1 + right, y1 + down)
    return (
        f'<path d="M{ax:.0f} {ay:.0f}L{bx:.0f} {by:.0f}" marker-end="url(#tip)" style="{STYLE}"/>'
        f'<text x="{ax + (bx - ax) * 0.3:.0f}" y="{ay + (by - ay) * 0.3 + 4:.0f}" text-anchor="middle" '
        f'style="font-size:11px;{HALO}">{words}</text>'
    )


def _edge(x1: float, y1: float, x2: float, y2: float) -> tuple[float, float]:
    """Where the line from the middle of a box towards another leaves the box."""
    dx, dy = x2 - x1, y2 - y1
    reach = min(WIDTH / 2 / abs(dx) if dx else 9.0, HEIGHT / 2 / abs(dy) if dy else 9.0)
    return x1 + dx * reach, y1 + dy * reach


def _exit(state: JobState) -> str:
    x, y = PLACES[state]
    words = {word for (_, target), given in requests_by_pair().items() if target is state for word in given}
    return (
        f'<path d="M590 {y}L{x - WIDTH / 2} {y}" marker-end="url(#tip)" style="{STYLE}"/>'
        f'<text x="610" y="{y - 5}" style="font-size:10px">{", ".join(sorted(words))}</text>'
    )


class LifecyclePicture(SphinxDirective):
    """The states and the arrows between them."""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", svg(), format="html")]


class LifecycleTable(SphinxDirective):
    """Every arrow: what is asked for in which state, and the state reached."""

    def run(self) -> list[nodes.Node]:
        engine = set(EngineRequest)
        rows = [
            (
                str(arrow.source),
                f"{arrow.requested}{' (engine only)' if arrow.requested in engine else ''}",
                str(arrow.target),
                arrow.guard,
            )
            for state in ACTIVE_STATES
            for arrow in TABLE
            if arrow.source is state
        ]
        text = table(("In state", "Asked for", "Reached", "Condition"), rows)
        return self.parse_text_to_nodes(text)


def setup(app: Any) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.add_directive("lifecycle-picture", LifecyclePicture)
    app.add_directive("lifecycle-table", LifecycleTable)
    return {"parallel_read_safe": True}
