"""``jobengine demo``: a real recording on this machine, shown and proved."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this folder.  [default: a temporary one]",
)
def demo(data: Path | None) -> None:
    """Record real sound with a service of its own, change it while it runs, and prove the result.

    The sound of a film is recorded beside a live test signal; its level is changed at exactly 2000 ms, it
    is paused, resumed and finished. Then the history is read with plain SQL, the files are read back and
    measured. Exit code 0 only if everything is as promised. Takes about 10 seconds.

    \b
    Example:
      jobengine demo --data /tmp/demo
    """
    from jobengine.cli.demo.story import tell

    tell(data)
