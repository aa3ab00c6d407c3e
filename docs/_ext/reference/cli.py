"""The command line page, from the click commands."""

from __future__ import annotations

from collections.abc import Iterator

import click

from jobengine.cli.main import main
from rst import code, heading


def commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """The contexts of ``command`` and of everything below it."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from commands(child, click.Context(child, info_name=name, parent=context))


def render() -> str:
    """The help of every command."""
    text = heading("Command line")
    root = click.Context(main, info_name="jobengine", max_content_width=100, terminal_width=100)
    for context in commands(main, root):
        text += heading(context.command_path, "-") + code(context.command.get_help(context), "text")
    return text
