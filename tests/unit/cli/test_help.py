"""Every command explains itself, and starting is cheap."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Iterator

import click
import pytest

from jobengine.cli.main import main
from tests.unit.cli.conftest import Run

HEAVY = ("httpx", "pydantic", "rich", "sqlalchemy", "numpy", "flask", "transitions")


def commands(group: click.Group, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))
        else:
            yield (*names, name)


@pytest.mark.parametrize("names", list(commands(main)), ids=" ".join)
def test_every_command_has_help_with_an_example(run: Run, names: tuple[str, ...]) -> None:
    result = run(*names, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"jobengine {' '.join(names)}" in result.stdout.split("Example")[1]


def test_every_group_tells_its_commands(run: Run) -> None:
    for group in ("job", "event", "variable", "service", "audit", "db", "key", "config"):
        result = run(group, "--help")
        assert result.exit_code == 0
        assert "Commands:" in result.stdout


HELP = """
from jobengine.cli.main import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
"""
CLIENT = """
from jobengine.client import Client
with Client() as client:
    client.jobs, client.events
"""


@pytest.mark.parametrize(("work", "heavy"), [(HELP, HEAVY), (CLIENT, ("pydantic", "numpy", "sqlalchemy"))])
def test_starting_imports_nothing_heavy(work: str, heavy: Collection[str]) -> None:
    script = f"import sys\n{work}\nprint([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"


def test_a_misspelt_command_is_named_with_the_nearest(run: Run) -> None:
    result = run("job", "sumbit")
    assert result.exit_code == 2
    assert "'submit'" in result.stderr


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").stdout.startswith("jobengine, version ")
