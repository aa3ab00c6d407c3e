"""Nothing grows too large to be read: 500 lines for a file, 60 for a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("jobengine", "tests", "docs", "benchmarks", "migrations")
LINES_OF_A_FILE = 500
LINES_OF_A_FUNCTION = 60
# One migration is one step and reads from top to bottom.
LONG_FUNCTIONS_IN = ("migrations",)


def python_files() -> list[Path]:
    """Every module of the repository, as paths from its root."""
    return sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def long_functions(source: str) -> Iterator[str]:
    """Functions with more than 60 lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LINES_OF_A_FUNCTION:
                yield f"{node.name} ({length} lines)"


@pytest.mark.parametrize("path", python_files(), ids=str)
def test_a_module_and_its_functions_stay_readable(path: Path) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")

    assert source.count("\n") <= LINES_OF_A_FILE
    if path.parts[0] not in LONG_FUNCTIONS_IN:
        assert list(long_functions(source)) == []
