"""``jobengine content``: import media, look at it, export it."""

from __future__ import annotations

import click

from jobengine.cli.lazy import LazyGroup

_HERE = "jobengine.cli.content"
PLACES = {
    "import": f"{_HERE}.moving:import_",
    "export": f"{_HERE}.moving:export",
    "list": f"{_HERE}.look:list_contents",
    "show": f"{_HERE}.look:show",
    "get": f"{_HERE}.look:get",
    "delete": f"{_HERE}.look:delete",
}


@click.group(cls=LazyGroup, places=PLACES)
def content() -> None:
    """Import media, look at it by any time reference, export it.

    \b
    Example:
      jobengine content import film.mp4 --name film
    """
