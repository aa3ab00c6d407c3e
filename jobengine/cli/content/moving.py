"""Files into contents and contents into files, with a progress bar on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobengine.cli.options import output_form, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client

Progress = Callable[[int, int], None]
_FILE = click.Path(path_type=Path)


@click.command("import")
@click.argument("file", type=_FILE)
@click.option("--name", help="Name of the content.  [default: that of the file]")
@output_form("text", "json")
@talks_to_service
def import_(client: Client, file: Path, name: str | None, form: str) -> None:
    """Import the media file FILE: its packets are copied, nothing is encoded anew.

    FILE.ndjson, as re-streaming jobs write it, restores the very same elements. Of a damaged file everything
    readable is imported, and its faults are listed. After an interruption the same command imports the rest.

    \b
    Example:
      jobengine content import film.mp4 --name film
    """
    from jobengine.cli.output import to_json

    with _bar(f"import {file.name}") as progress:
        imported = client.contents.import_file(file, name, progress)
    for fault in imported.faults:
        click.echo(f"fault at byte {fault.position_bytes}: {fault.reason}", err=True)
    if form == "json":
        click.echo(to_json(asdict(imported)))
        return
    there = f", {imported.repeated} were there" if imported.repeated else ""
    click.echo(f"{imported.name}: {imported.streams} streams, {imported.created} new elements{there}")


@click.command()
@click.argument("name")
@click.argument("file", type=_FILE)
@click.option("--stream", "streams", multiple=True, help="A stream, such as video or 1; may be repeated.")
@click.option("--range", "range_", metavar="TIMES", help="A part only, such as 10s-20s.")
@output_form("text", "json")
@talks_to_service
def export(
    client: Client, name: str, file: Path, streams: tuple[str, ...], range_: str | None, form: str
) -> None:
    """Write the content NAME, or a part of it, to the media file FILE, whose ending names the container.

    Packets are written as they are; what the container can't hold is encoded anew, or left out and listed.

    \b
    Example:
      jobengine content export film part.mp4 --range 10s-20s
    """
    from jobengine.cli.output import to_json

    with _bar(f"export {name}") as progress:
        exported = client.contents.export_file(name, file, streams, range_, progress)
    for reason in exported.left_out.values():
        click.echo(f"left out: {reason}", err=True)
    if exported.missing:
        click.echo(f"{exported.missing} elements have no payload any more and are missing", err=True)
    if not exported.is_exact:
        click.echo("the pictures begin at the key frame before the range", err=True)
    if form == "json":
        click.echo(to_json(asdict(exported)))
        return
    anew = f", {len(exported.encoded)} encoded anew" if exported.encoded else ""
    click.echo(f"{file}: {exported.elements} elements, {len(exported.copied)} streams copied{anew}")


@contextmanager
def _bar(title: str) -> Iterator[Progress | None]:
    """A bar on stderr if a person looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn())
    with Progress(*columns, Remaining(), console=console, transient=True) as shown:
        task = shown.add_task(title, total=None)

        def tell(done: int, total: int) -> None:
            shown.update(task, completed=done, total=total or None)

        yield tell
