"""The snippets of the documentation are tests: Python, and ``console`` blocks where a page has them."""

from __future__ import annotations

import sys
from collections.abc import Generator
from doctest import ELLIPSIS
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.rest import DocTestParser, PythonCodeBlockParser

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from console import ConsoleBlockParser, remove_home, remove_shared_home

pytest_collect_file = Sybil(
    parsers=[DocTestParser(ELLIPSIS), PythonCodeBlockParser(), ConsoleBlockParser()],
    patterns=["*.rst"],
    excludes=["reference/generated/*.rst", "_build/**"],
    teardown=remove_home,
).pytest()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """A page is read from top to bottom; only tests are shuffled."""
    yield
    snippets = [item for item in items if isinstance(item, SybilItem)]
    items[:] = [item for item in items if not isinstance(item, SybilItem)]
    items += sorted(snippets, key=lambda item: (str(item.path), item.example.line))


def pytest_sessionfinish() -> None:
    """The service that pages shared ends with the last of them."""
    remove_shared_home()
