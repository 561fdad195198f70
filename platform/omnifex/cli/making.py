"""Submitting, watching and handing over: what every command that makes something does."""

from __future__ import annotations

import json as to_json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from omnifex.cli.options import open_studio
from omnifex.cli.queueing import order_of
from omnifex.cli.watch import watch
from omnifex.description import job_object
from omnifex.errors import OmnifexError
from omnifex.job import Job
from omnifex.studio import Studio
from omnifex_jobs import State


def make(
    context: typer.Context,
    modality: str,
    fields: dict[str, Any],
    *,
    model: str | None,
    out: Path | None,
    detach: bool,
    json: bool,
    home: str | None,
    **queueing: Any,
) -> None:
    """Make one thing and say where it is."""
    check_place(out)
    order = order_of(queueing)
    submit: Callable[[Studio], Job] = lambda studio: studio.submit(  # noqa: E731
        modality, model=model, **order, **fields
    )
    owner = queueing["owner"]
    carry_out(context, submit, out=out, detach=detach, json=json, home=home, owner=owner)


def carry_out(
    context: typer.Context,
    submit: Callable[[Studio], Job],
    *,
    out: Path | None = None,
    detach: bool = False,
    json: bool = False,
    home: str | None = None,
    owner: str = "",
) -> Job:
    """Submit a job; unless detached, see it through, save its files and exit 1 if it has none."""
    with open_studio(context, home, owner) as studio:
        job = submit(studio)
        if detach:
            queued(studio, job, json)
            return job
        watch(studio, [job], quiet=json)
        places = hand_over(job, out)
        if json:
            typer.echo(to_json.dumps({**job_object(job), "files": [str(p) for p in places]}))
        else:
            tell(job, places)
    if not places:
        raise typer.Exit(1)
    return job


def hand_over(job: Job, out: Path | None) -> list[Path]:
    """Where the outputs are: in the store, or where the user wants them."""
    files = [file for file in job.artifacts if file.role == "output"]
    if out is None or out.is_dir():
        return [file.save(out) if out else file.path for file in files]
    names = [out, *(out.with_stem(f"{out.stem}-{n}") for n in range(2, len(files) + 1))]
    return [file.save(name) for file, name in zip(files, names, strict=False)]


def tell(job: Job, places: list[Path]) -> None:
    """The notes and errors on stderr, the paths on stdout: `open $(omnifex image …)`."""
    for note in job.notes:
        typer.echo(f"note: {note}", err=True)
    record = job.record
    if record.state is not State.SUCCEEDED and record.error:
        typer.echo(f"omnifex: job {job.id} {record.state}: {record.error.message}", err=True)
    for place in places:
        typer.echo(place)


def queued(studio: Studio, job: Job, json: bool) -> None:
    if json:
        typer.echo(to_json.dumps(job_object(job)))
        return
    for note in job.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(job.id)
    if not studio.served:
        typer.echo(f"note: start `omnifex worker --home {studio.home}` to run it", err=True)


def check_place(out: Path | None) -> None:
    """Refuse, before anything is computed, a place where no file can be written."""
    if out is None or out.is_dir():
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadPlace(
            f"no file can be put at {out} ({error.strerror or error}); choose another place."
        ) from error


class BadPlace(OmnifexError):
    """An `--out` where no file can be written."""

    code = "unwritable"
