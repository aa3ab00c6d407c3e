"""Runs the ``console`` blocks of a page: each line behind ``$`` is a command, what follows is what it prints.

The blocks of a page share one folder and the environment below, so a later block sees what an earlier one
made. ``...`` stands for text that differs from run to run. A command that fails fails the page, unless the
text shows its exit code as ``(exit code N)`` in the last line.
"""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sybil.example import Example
from sybil.parsers.rest import CodeBlockParser

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 50


class ConsoleBlockParser(CodeBlockParser):
    """Evaluates ``.. code-block:: console``."""

    language = "console"

    def evaluate(self, example: Example) -> str | None:
        folder = example.namespace.get("folder") or tempfile.mkdtemp(prefix="jobengine-docs-")
        example.namespace["folder"] = folder
        for command, wanted in commands(str(example.parsed)):
            got = run(command, Path(folder))
            if not doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS):
                return f"$ {command}\n--- wanted\n{wanted}--- got\n{got}"
        return None


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command with the output that the page shows; a backslash joins lines."""
    command, output = "", ""
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, output
            command, output = line[2:], ""
        elif command.endswith("\\"):
            command = command[:-1] + line.strip()
        else:
            output += line + "\n"
    if command:
        yield command, output


def run(command: str, folder: Path) -> str:
    """What a command prints on both of its outputs, with its exit code if it failed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", "EXAMPLES": str(ROOT / "docs" / "examples")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return result.stdout + (f"(exit code {result.returncode})\n" if result.returncode else "")
