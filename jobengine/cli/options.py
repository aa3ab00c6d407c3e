"""Options that many commands share, as decorators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from jobengine.errors import AuthenticationError, MalformedError

if TYPE_CHECKING:
    from jobengine.client import Client

Command = Callable[..., None]
DEFAULT_URL = "http://127.0.0.1:8484"


def talks_to_service(command: Command) -> Command:
    """Adds ``--url`` and ``--token-file``; the command gets an open client as its first argument."""

    @click.option(
        "--url",
        envvar="JOBENGINE_URL",
        default=DEFAULT_URL,
        show_default=True,
        show_envvar=True,
        help="The service.",
    )
    @click.option(
        "--token-file",
        envvar="JOBENGINE_TOKEN_FILE",
        show_envvar=True,
        type=click.Path(path_type=Path),
        help="A file with an API key.",
    )
    @functools.wraps(command)
    def run(url: str, token_file: Path | None, **arguments: Any) -> None:
        with connect(url, token_file) as client:
            command(client, **arguments)

    return run


def connect(url: str, token_file: Path | None = None) -> Client:
    """A client of the service at ``url``. Raises AuthenticationError if the file holds no key."""
    from jobengine.client import Client

    try:
        token = token_file.read_text(encoding="utf-8").strip() if token_file else None
    except (OSError, UnicodeDecodeError) as error:
        raise AuthenticationError(f"the token file can't be read: {error}") from error
    if token == "":
        raise AuthenticationError(f"the token file {token_file} is empty")
    return Client(url, token)


def works_on_data(command: Command) -> Command:
    """Adds ``--data`` and ``--config``; the command gets the settings as its first argument."""

    @data_options
    @functools.wraps(command)
    def run(config: Path | None, data: Path | None, **arguments: Any) -> None:
        from jobengine.settings import load

        command(load(config, {"data": data}), **arguments)

    return run


def data_options(command: Command) -> Command:
    """Adds ``--data`` and ``--config``."""
    for option in (
        click.option(
            "--data",
            type=click.Path(file_okay=False, path_type=Path),
            help="The data folder of the service.  [env var: JOBENGINE_DATA]",
        ),
        click.option(
            "--config",
            envvar="JOBENGINE_CONFIG",
            show_envvar=True,
            type=click.Path(dir_okay=False, path_type=Path),
            help="A TOML file with settings.",
        ),
    ):
        command = option(command)
    return command


def output_form(*forms: str) -> Callable[[Command], Command]:
    """Adds ``-o``; the first form is the default."""
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="Format of the output.",
    )


rows_form = output_form("table", "json", "jsonl", "csv")
document_form = output_form("table", "json")


def read_json(source: IO[bytes]) -> Any:
    """The JSON in a file or on stdin, as strictly as a service reads it.

    Raises MalformedError with line and column, DocumentError for text that can't be kept.
    """
    from jobengine.model.json_text import parse

    try:
        return parse(source.read())
    except MalformedError as error:
        name = getattr(source, "name", "the input")
        raise MalformedError(f"{name}: {error.detail}", **error.facts) from None


def json_value(text: str) -> Any:
    """A JSON value given on the command line. Raises BadParameter, or DocumentError for text that can't be
    kept."""
    from jobengine.model.json_text import parse

    try:
        return parse(text.encode(errors="surrogateescape"))
    except MalformedError as error:
        raise click.BadParameter(f"{text!r} is not JSON: {error.detail}") from None
