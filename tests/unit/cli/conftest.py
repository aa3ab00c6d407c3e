from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from jobengine.cli.main import main
from tests.unit.client.scripted_service import ScriptedService, scripted_service

Run = Callable[..., Result]


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as service:
        yield service


@pytest.fixture
def run() -> Run:
    """Runs a command line; ``input`` is its stdin, ``env`` its further environment."""

    def run(*arguments: str, input: str | None = None, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(main, [str(each) for each in arguments], input=input, env=env)

    return run
