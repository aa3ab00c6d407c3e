"""Commands that look at contents, and the one that removes them."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from jobengine.cli.options import document_form, rows_form, talks_to_service

if TYPE_CHECKING:
    from jobengine.client import Client

Json = Any
_CONTENT = {"Name": "name", "Container": "iformat", "Length (s)": "seconds", "Closed": "closed"}
_STREAMS = {
    "Stream": "index",
    "Kind": "codecpar.codec_type",
    "Codec": "codecpar.name",
    "Form": "form",
    "Time base": "timeBase",
    "From (s)": "from",
    "To (s)": "to",
    "Closed": "closed",
}
_ELEMENTS = {
    "Type": "type",
    "Stream": "stream_index",
    "Pts": "pts",
    "Dts": "dts",
    "Duration": "duration",
    "Size": "size",
    "Flags": "flags",
}


@click.command("list")
@click.option("--filter", help="Such as 'metadata.title ~ \"news*\"'.")
@rows_form
@talks_to_service
def list_contents(client: Client, filter: str | None, form: str) -> None:
    """List the names of contents, the oldest first.

    \b
    Example:
      jobengine content list
    """
    from jobengine.cli.output import show_rows

    show_rows(form, ({"name": name} for name in client.contents.list(filter)), {"Name": "name"})


@click.command()
@click.argument("name")
@document_form
@talks_to_service
def show(client: Client, name: str, form: str) -> None:
    """Show the format of the content NAME and its streams; -o json gives the whole document.

    \b
    Example:
      jobengine content show film
    """
    from jobengine.cli.output import show_document, show_rows, to_json

    document = client.contents.get(name)
    if form == "json":
        click.echo(to_json(document))
        return
    streams = document["streams"]
    seconds = document.get("duration", 0) / 1e6 or None
    is_closed = bool(streams) and all(stream.get("closed", False) for stream in streams)
    show_document(form, {**document, "name": name, "seconds": seconds, "closed": is_closed}, _CONTENT)
    click.echo()
    show_rows(form, [_row(client, name, stream) for stream in streams], _STREAMS)


@click.command()
@click.argument("name")
@click.argument("stream")
@click.argument("reference")
@click.option("--data", is_flag=True, help="The payload of the one element, to stdout.")
@rows_form
@talks_to_service
def get(client: Client, name: str, stream: str, reference: str, data: bool, form: str) -> None:
    """Print the elements that REFERENCE matches in STREAM (0, video, audio_1, all) of the content NAME.

    A reference is a pts (108000, 107950f for the nearest), a rank (1st, last), a time (1m30s), a distance
    (7200+1d), or a range of them (10s-20s).

    \b
    Example:
      jobengine content get film video 1s
      jobengine content get film video first --data > first.h264
    """
    from jobengine.cli.output import show_rows

    elements = client.contents.elements(name, stream, reference)
    if not data:
        show_rows(form, elements, _ELEMENTS)
        return
    found = next(elements)
    direct = f"{found['type'].lower()}_{found['pts']}"
    sys.stdout.buffer.write(client.contents.payload(name, str(found["stream_index"]), direct))


@click.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Remove nothing; tell what would go.")
@document_form
@talks_to_service
def delete(client: Client, name: str, dry_run: bool, form: str) -> None:
    """Remove the content NAME with its streams, elements and payloads.

    \b
    Example:
      jobengine content delete film
    """
    from jobengine.cli.output import show_document

    if dry_run:
        columns = {"Streams": "streams", "Elements": "elements", "Payload (bytes)": "payloadBytes"}
        show_document(form, client.contents.size(name), columns)
        return
    client.contents.delete(name)
    click.echo(f"{name} is removed", err=True)


def _row(client: Client, name: str, stream: dict[str, Json]) -> dict[str, Json]:
    """A stream with where its elements begin and end, in seconds."""
    from jobengine.errors import NotFoundError

    base = stream.get("time_base") or [0, 1]
    row = {**stream, "timeBase": f"{base[0]}/{base[1]}", "form": _form(stream.get("codecpar") or {})}
    for member, reference in (("from", "first"), ("to", "last")):
        try:
            element = next(client.contents.elements(name, str(stream["index"]), reference))
        except NotFoundError:
            continue
        ticks = element["pts"] + (element.get("duration", 0) if member == "to" else 0)
        row[member] = float(ticks * Fraction(*base))
    return row


def _form(codec: dict[str, Json]) -> str:
    if codec.get("width"):
        return f"{codec['width']}x{codec['height']}"
    if codec.get("sample_rate"):
        return f"{codec['sample_rate']} Hz, {codec.get('channels', '?')} channels"
    return ""
