"""Data on stdout: tables for people, JSON, JSON lines and CSV for programs.

A column is a title and a dotted path into the document. What clients wrote is shown without its control
characters, so that it can't play with the terminal.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

Json = Any
Columns = Mapping[str, str]
WIDE = 100_000


def show_rows(form: str, rows: Iterable[Mapping[str, Json]], columns: Columns) -> None:
    """Documents as a table, a JSON array, JSON lines or CSV."""
    if form == "json":
        click.echo(to_json(list(rows)))
    elif form == "jsonl":
        for row in rows:
            click.echo(to_line(row))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns.values())
        writer.writerows([as_text(find(row, path)) for path in columns.values()] for row in rows)
    else:
        show_table(list(columns), [[as_text(find(row, path)) for path in columns.values()] for row in rows])


def show_document(form: str, document: Json, columns: Columns) -> None:
    """One document as JSON, or its chosen members line by line."""
    if form == "json":
        click.echo(to_json(document))
        return
    width = max((len(title) for title in columns), default=0)
    for title, path in columns.items():
        click.echo(
            f"{click.style(title.ljust(width), bold=True)}  {printable(as_text(find(document, path)))}"
        )


def show_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table as wide as the terminal, or as wide as it needs when it goes to a file or pipe."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    if console.is_terminal:
        console.print(table)
        return
    wide = Console(highlight=False, width=WIDE)
    with wide.capture() as captured:
        wide.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def to_json(value: Json) -> str:
    """Pretty JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def to_line(value: Json) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def find(document: Json, path: str) -> Json:
    """What stands at a dotted path; None if nothing does."""
    for part in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(part)
    return document


def as_text(value: Json) -> str:
    """A cell: nothing for None, JSON for what is no plain value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return (
        value if isinstance(value, str) else to_line(value) if isinstance(value, dict | list) else str(value)
    )


def printable(text: str) -> str:
    """``text`` with control characters written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
