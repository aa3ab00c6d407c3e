"""The reference pages, generated from the code before Sphinx reads the folder.

`PAGES` names the module that each page is made from; a page whose module is not there is not made.
"""

from __future__ import annotations

import importlib
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PAGES = {
    "document": "jobengine.model.schemas",
    "cli": "jobengine.cli.main",
    "rest": "jobengine.rest.factory",
    "settings": "jobengine.settings",
    "errors": "jobengine.errors",
    "sql": "jobengine.history.tables",
}
FOLDER = Path("reference") / "generated"

# Sphinx would show what Alembic says of each step.
logging.getLogger("alembic").setLevel(logging.WARNING)


def render(page: str) -> str:
    """The text of one page."""
    text: str = importlib.import_module(f"reference.{page}").render()
    return text


def write_pages(app: Any) -> None:
    """Write every page that can be made; a file is touched only if its text changed."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{page}.rst": render(page) for page, source in PAGES.items() if find_spec(source)}
    for path in folder.glob("*.rst"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
