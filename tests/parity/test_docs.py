"""The documentation is whole: every page can be reached, every word is explained, every reference is made."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from jobengine import telemetry
from jobengine.model.lifecycle import JobState, RequestedState, TransitionStatus

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NOUNS = ("Job", "Transition", "Trigger", "Job description", "Work", "Worker", "Service", "Element", "Content")
TITLES = {
    "document": "Job document",
    "cli": "Command line",
    "rest": "HTTP API",
    "settings": "Settings",
    "errors": "Errors",
    "sql": "SQL",
}
GENERATED = "reference/generated/"


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package that generates the reference pages."""
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("reference", "rst")]:
        monkeypatch.delitem(sys.modules, name)
    return importlib.import_module("reference")


def test_every_metric_is_in_the_reference() -> None:
    metrics = [each for each in vars(telemetry).values() if isinstance(each, telemetry.Metric)]
    page = (DOCS / "reference" / "jobs.rst").read_text()
    wanted = {each.name + (f"{{{','.join(each.labels)}}}" if each.labels else "") for each in metrics}
    assert wanted == set(re.findall(r"^   \* - ``(jobengine_[^`]+)``", page, re.MULTILINE))


def pages() -> set[str]:
    """The names of all written pages."""
    found = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.rst")}
    return {name for name in found if not name.startswith((GENERATED, "_build/"))}


def linked(page: str) -> set[str]:
    """Pages in the tables of contents of ``page``."""
    lines = re.findall(r"^   ([\w*/-]+)$", (DOCS / f"{page}.rst").read_text("utf-8"), re.MULTILINE)
    folder = DOCS / page
    targets: set[str] = set()
    for line in lines:
        found = folder.parent.glob(f"{line}.rst")
        targets |= {path.relative_to(DOCS).with_suffix("").as_posix() for path in found}
    return targets


def test_every_page_can_be_reached_from_the_first() -> None:
    reached, ahead = set(), {"index"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        ahead |= {target for target in linked(page) if not target.startswith(GENERATED)} - reached

    assert reached == pages()


@pytest.mark.parametrize("word", [*NOUNS, *JobState, *RequestedState, *TransitionStatus], ids=str)
def test_the_glossary_explains_the_word(word: str) -> None:
    glossary = (DOCS / "glossary.rst").read_text("utf-8")

    assert re.search(rf"^   {re.escape(word)}$", glossary, re.MULTILINE)


@pytest.mark.parametrize(("page", "title"), TITLES.items())
def test_a_reference_page_is_made_from_the_code(reference: Any, page: str, title: str) -> None:
    assert reference.render(page).startswith(f"{title}\n===")


def test_every_reference_page_is_tested(reference: Any) -> None:
    assert set(TITLES) == set(reference.PAGES)
