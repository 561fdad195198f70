"""`omnifex jobs submit|graph|fork|export`: several jobs at once."""

from __future__ import annotations

import json as to_json
from pathlib import Path
from typing import Annotated, Any

import typer

from omnifex.cli import options
from omnifex.cli.options import open_studio
from omnifex.errors import InvalidRequest


def submit(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A JSON list of jobs.", show_default=False)],
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Queue several jobs at once, all or none; they may need each other by name."""
    from omnifex.description import job_object

    requests = read(file)
    with open_studio(context, home) as studio:
        jobs = studio.submit_all(requests)
        if json:
            typer.echo(to_json.dumps({"jobs": [job_object(job) for job in jobs]}))
        else:
            for job in jobs:
                typer.echo(job.id)
            if not studio.served:
                typer.echo(f"note: start `omnifex worker --home {studio.home}`", err=True)


def graph(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(help="The job's id.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A file to draw it into: .svg, .mmd, .json.")
    ] = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """What a job came from and what came of it, as a tree."""
    from omnifex.cli.tree import tree

    with open_studio(context, home) as studio:
        lineage = studio.job(job_id).lineage()
    if out is not None:
        typer.echo(lineage.save(out))
    elif json:
        typer.echo(to_json.dumps(lineage.to_json()))
    else:
        tree(lineage)


def fork(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(help="The job's id.", show_default=False)],
    changes: Annotated[
        list[str] | None,
        typer.Argument(help="What is to be different: steps=40 prompt='a star'."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to put the file.")] = None,
    detach: options.Detach = False,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Make the same again with changes, as a new job."""
    from omnifex.cli.making import carry_out

    different = dict(change(text) for text in changes or ())
    carry_out(
        context,
        lambda studio: studio.fork(job_id, **different),
        out=out,
        detach=detach,
        home=home,
        json=json,
    )


def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A .jsonl or .parquet file.", show_default=False)],
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    modality: Annotated[str | None, typer.Option(help="Only jobs of this modality.")] = None,
    model: Annotated[str | None, typer.Option(help="Only jobs of this model.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only jobs of this owner.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only jobs with this tag.")] = None,
    text: Annotated[str | None, typer.Option(help="Only jobs that ask for these words.")] = None,
    since: Annotated[str | None, typer.Option(help="Since then: 2d, 2026-11-25.")] = None,
    until: Annotated[str | None, typer.Option(help="Before then.")] = None,
    home: options.Home = None,
) -> None:
    """Write jobs to a file for other programs."""
    wanted = {"status": status, "modality": modality, "model": model, "owner": owner}
    with open_studio(context, home) as studio:
        count = studio.export(file, **wanted, tags=tag, text=text, since=since, until=until)
    typer.echo(f"{count} jobs in {file}")


def change(text: str) -> tuple[str, Any]:
    """`steps=40`; a value that is no JSON is text."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise InvalidRequest(f"{text!r} is no change; write it as steps=40.")
    try:
        return name, to_json.loads(value)
    except ValueError:
        return name, value


def read(file: Path) -> list[dict[str, Any]]:
    try:
        found = to_json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read ({error.strerror or error}).") from error
    except ValueError as error:
        raise InvalidRequest(f"{file} is no JSON ({error}).") from error
    if not isinstance(found, list):
        raise InvalidRequest(f'{file} is no list; write [{{"modality": "image", …}}, …].')
    return found
