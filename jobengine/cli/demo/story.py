"""The demo from the start of its service to the verdict."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from jobengine.cli.demo import proof
from jobengine.cli.demo.clip import copy_clip, example
from jobengine.cli.demo.own_service import own_service
from jobengine.cli.demo.wav import read_wav
from jobengine.cli.failure import CommandFailed
from jobengine.cli.job.observing import Observation, observe
from jobengine.cli.output import as_text, show_table
from jobengine.client import Client, Job
from jobengine.client.deadline import Deadline
from jobengine.history.audit import verify
from jobengine.history.database import Database
from jobengine.model.lifecycle import JobState

PAUSE_FROM_SAMPLE = proof.RATE_HZ
"""Early, so that a machine that stands still for a while does not pause what is over."""
PAUSE_S = 1.0
LOOK_EVERY_S = 0.5
LONGEST_S = 120.0


def tell(data: Path | None) -> None:
    """Run the demo and print it. Raises CommandFailed if anything is not as promised."""
    with _folder(data) as folder:
        copy_clip(folder / "media")
        with own_service(folder) as client:
            _title(f"A service is running; its dashboard is at {client.url}/")
            film, tone = _record(client)
            proofs = [*_show_jobs(folder, film, tone), _audit(folder)]
            address = client.url
        _verdict(proofs, address, data)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield data.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="jobengine-demo-") as folder:
        yield Path(folder)


def _record(client: Client) -> tuple[Job, Job]:
    """Both jobs, run to their end."""
    tone = client.jobs.submit(example("test-signal.json"))
    film = client.jobs.submit(example("record.json"))
    click.echo(f"live test signal: job {tone.id}")
    click.echo(f"film, 5.1 to stereo: job {film.id} (docs/examples/record.json)")
    click.echo("The level drops at 2000 ms, ramps back from 3000 to 3500 ms, and the end is at 4800 ms;")
    click.echo("a pause of a second is asked for while it runs.")
    _title("Timeline of the film's job while it runs")
    _follow(client, film)
    tone.finish()
    if tone.wait(timeout_s=LONGEST_S) is not JobState.FINISHED:
        raise CommandFailed(f"the test signal ended as {tone.state}", reasons=(tone.message,))
    return film, tone


def _follow(client: Client, film: Job) -> None:
    limit, resume_at, was_paused = Deadline(LONGEST_S), Deadline(None), False
    for seen in observe(client, film, LOOK_EVERY_S):
        click.echo(f"  {seen.line()}")
        if not was_paused and _live_samples(seen) >= PAUSE_FROM_SAMPLE:
            film.pause()
            was_paused = True
        elif seen.document.get("currentProcState") == JobState.PAUSED:
            resume_at = Deadline(PAUSE_S)
        if resume_at.is_over():
            film.start()
            resume_at = Deadline(None)
        if limit.is_over():
            raise CommandFailed(f"the film's job did not end within {LONGEST_S:g} s")
    if film.refresh().state is not JobState.FINISHED:
        raise CommandFailed(f"the film's job ended as {film.state}", reasons=(film.message,))


def _live_samples(seen: Observation) -> int:
    position = seen.document.get("position") if seen.kind == "progress" else None
    return int((position or {}).get("samples") or 0)


def _show_jobs(folder: Path, film: Job, tone: Job) -> list[proof.Proof]:
    database = folder / "jobengine.sqlite3"
    _title(f"The history, read with plain SQL from {database}")
    click.echo(f"{proof.SELECT_HISTORY};\n")
    rows = {}
    for name, job in (("film", film), ("test signal", tone)):
        titles, rows[name] = proof.read_rows(database, proof.SELECT_HISTORY, job.id)
        click.echo(f"-- {name}: {job.id}")
        show_table(titles, [[as_text(value) for value in row] for row in rows[name]])
        click.echo()
    _title("The files, read back by their own headers")
    outputs = {job.id: job.outputs() for job in (film, tone)}
    _show_files([output for job in (film, tone) for output in outputs[job.id]])
    _, spans = proof.read_rows(database, proof.SELECT_SPANS, tone.id)
    return [
        *proof.prove_film(rows["film"], outputs[film.id]),
        *proof.prove_tone(rows["test signal"], spans, outputs[tone.id]),
    ]


def _show_files(outputs: list[dict[str, Any]]) -> None:
    rows = []
    for output in outputs:
        file = read_wav(Path(output["path"]))
        form = f"{file.rate_hz} Hz, {file.resolution_bit} bit, {file.channels} channels"
        rows.append([output["graph"], str(file.path), form, str(file.frames), f"{file.seconds:.3f} s"])
    show_table(["Graph", "File", "Form", "Samples", "Duration"], rows)


def _audit(folder: Path) -> proof.Proof:
    with Database(f"sqlite:///{folder / 'jobengine.sqlite3'}") as database:
        result = verify(database)
    found = f"{len(result.findings)} findings in {result.rows} rows of {result.jobs} jobs"
    return proof.Proof("audit verify: hash chains", "0 findings", found, result.is_intact)


def _verdict(proofs: list[proof.Proof], address: str, data: Path | None) -> None:
    _title("Promised and found")
    rows = [[p.what, p.promised, p.found, "kept" if p.is_kept else "BROKEN"] for p in proofs]
    show_table(["", "Promised", "Found", ""], rows)
    click.echo()
    if data is None:
        click.echo(f"The dashboard was at {address}/; the service has ended and its folder is removed.")
        click.echo("To keep them: jobengine demo --data DIR, then jobengine serve --data DIR")
    else:
        click.echo(f"The dashboard was at {address}/; to see it again: jobengine serve --data {data}")
    broken = [p.what for p in proofs if not p.is_kept]
    if broken:
        raise CommandFailed("the demo is not as promised", reasons=tuple(broken))
    click.echo("Everything is as promised.")


def _title(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)
