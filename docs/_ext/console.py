"""Runs the ``console`` blocks of a page: each line after ``$`` is a command, what follows is what it prints.

The blocks of a page share one home (`home`) and the variables that they set, so a later block sees what an
earlier one made. ``jobengine serve`` goes on in the background, as in a terminal of its own. ``...`` stands
for text that differs from run to run, and the width of columns does not count. A command that fails fails
the page, unless the text shows its exit code as ``(exit code N)`` in the last line.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from sybil.example import Example
from sybil.parsers.rest import CodeBlockParser

from home import PUBLISHED, Home
from tests.waiting import PATIENCE_S

PROGRAMS = ("sqlite3", "curl", "ffmpeg", "ffprobe")
SERVE = "jobengine serve"
HEREDOC = "<<'END'"
_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=(?:\$\(.*\)|\S*)", re.DOTALL)
_COMPARED = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_shared: list[Home] = []


class ConsoleBlockParser(CodeBlockParser):
    """Evaluates ``.. code-block:: console``."""

    language = "console"

    def evaluate(self, example: Example) -> str | None:
        home = _home_of(example)
        for command, wanted in commands(str(example.parsed)):
            _skip_without_program(command)
            got = home.serve(command) if command.startswith(SERVE) else run(command, home)
            if not doctest.OutputChecker().check_output(wanted, got, _COMPARED):
                return f"$ {command}\n--- wanted\n{wanted}--- got\n{got}"
        return None


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command with the output that the page shows; a backslash or a here-document goes on."""
    command, output, is_open = "", "", False
    for line in text.splitlines():
        if is_open:
            command += f"\n{line}"
            is_open = line != "END"
        elif line.startswith("$ "):
            if command:
                yield command, output
            command, output = line[2:], ""
            is_open = HEREDOC in command
        elif command.endswith("\\"):
            command = command[:-1] + line.strip()
        else:
            output += line + "\n"
    if command:
        yield command, output


def run(command: str, home: Home) -> str:
    """What a command prints on both of its outputs, with its exit code if it failed."""
    state = home.folder / ".variables"
    found = _ASSIGNMENT.fullmatch(command)
    lines = [
        f"[ ! -e {state} ] || . {state}",
        command.replace(PUBLISHED, home.address),
        f"declare -p {found[1]} >> {state}" if found else "",
    ]
    result = subprocess.run(
        ["bash", "-c", "\n".join(lines).rstrip()],
        cwd=home.folder,
        env=home.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    printed = result.stdout.replace(home.address, PUBLISHED).replace(str(home.folder), "/home/me")
    return printed + (f"(exit code {result.returncode})\n" if result.returncode else "")


def remove_home(namespace: dict[str, object]) -> None:
    """After a page: its own home goes; the shared one stays for the next."""
    home = namespace.get("home")
    if isinstance(home, Home) and home not in _shared:
        home.remove()


def remove_shared_home() -> None:
    """After the last page."""
    while _shared:
        _shared.pop().remove()


def _home_of(example: Example) -> Home:
    if "home" not in example.namespace:
        is_own = f"$ {SERVE}" in example.document.text or "jobengine job" not in example.document.text
        example.namespace["home"] = Home() if is_own else _shared_home()
    home: Home = example.namespace["home"]
    return home


def _shared_home() -> Home:
    if not _shared:
        _shared.append(Home())
        refusal = _shared[0].serve(SERVE)
        assert not refusal, refusal
    return _shared[0]


def _skip_without_program(command: str) -> None:
    missing = [name for name in PROGRAMS if re.search(rf"\b{name}\b", command) and not shutil.which(name)]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{missing[0]} is not on this machine")
