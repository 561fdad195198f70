"""`omnifex jobs`: the job database on the command line."""

from __future__ import annotations

import json as to_json
from pathlib import Path
from typing import Annotated

import typer

from omnifex.cli import lineage, options
from omnifex.cli.options import open_studio

commands = typer.Typer(help="Jobs: list, show, graph, cancel, retry, fork, replay, verify, pin.")
commands.command()(lineage.submit)
commands.command()(lineage.graph)
commands.command()(lineage.fork)
commands.command()(lineage.export)
JobId = Annotated[str, typer.Argument(help="The job's id.", show_default=False)]


@commands.callback(invoke_without_command=True)
def jobs(context: typer.Context, home: options.Home = None, json: options.Json = False) -> None:
    if context.invoked_subcommand is None:
        list_jobs(context, home=home, json=json)


@commands.command("list")
def list_jobs(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    modality: Annotated[str | None, typer.Option(help="Only jobs of this modality.")] = None,
    model: Annotated[str | None, typer.Option(help="Only jobs of this model.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only jobs of this owner.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only jobs with this tag.")] = None,
    text: Annotated[str | None, typer.Option(help="Only jobs that ask for these words.")] = None,
    since: Annotated[str | None, typer.Option(help="Since then: 2d, 2026-11-25.")] = None,
    until: Annotated[str | None, typer.Option(help="Before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 20,
    before: Annotated[str | None, typer.Option(help="Older than the job of this id.")] = None,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """The newest jobs."""
    from omnifex.cli.show import job_table
    from omnifex.description import job_line

    with open_studio(context, home) as studio:
        page = studio.jobs(
            status=status,
            modality=modality,
            model=model,
            owner=owner,
            tags=tag,
            text=text,
            since=since,
            until=until,
            limit=limit,
            before=before,
        )
        records = page.records
        counts = {str(state): count for state, count in studio.counts().items() if count}
    if json:
        lines = [job_line(record) for record in records]
        typer.echo(to_json.dumps({"jobs": lines, "counts": counts, "next": page.next}))
    else:
        job_table(records, counts)
        if page.next:
            typer.echo(f"older ones: --before {page.next}", err=True)


@commands.command()
def show(
    context: typer.Context,
    job_id: JobId,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """All about one job: what was asked, its files, and why it failed if it did."""
    from omnifex.cli.show import job_page
    from omnifex.description import job_object

    with open_studio(context, home) as studio:
        job = studio.job(job_id)
        if json:
            typer.echo(to_json.dumps(job_object(job)))
        else:
            job_page(job)


@commands.command()
def trace(
    context: typer.Context,
    job_id: JobId,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to put it.")] = None,
    home: options.Home = None,
) -> None:
    """What the job did, call by call, as a file for ui.perfetto.dev."""
    from omnifex.cli.making import check_place

    check_place(out)
    with open_studio(context, home) as studio:
        made = studio.job(job_id).trace()
    name = f"omnifex-{job_id}.json"
    typer.echo(made.save(Path(name) if out is None else out / name if out.is_dir() else out))


@commands.command()
def cancel(
    context: typer.Context,
    job_id: JobId,
    reason: Annotated[str, typer.Option(help="Kept with the job.")] = "",
    home: options.Home = None,
) -> None:
    """Stop a job: at once if it waits, after the component call that it is in if it runs."""
    with open_studio(context, home) as studio:
        job = studio.job(job_id)
        over, state = job.done, job.cancel(reason)
        if over:
            typer.echo(f"{job.id} had already {state}")
        else:
            typer.echo(f"{job.id} {'is' if state is state.CANCELED else 'will be'} canceled")


@commands.command()
def retry(
    context: typer.Context,
    job_id: JobId,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to put the file.")] = None,
    detach: options.Detach = False,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Run a failed or canceled job again, under the same id."""
    from omnifex.cli.making import carry_out

    carry_out(
        context,
        lambda studio: studio.job(job_id).retry(),
        out=out,
        detach=detach,
        home=home,
        json=json,
    )


@commands.command()
def replay(
    context: typer.Context,
    job_id: JobId,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to put the file.")] = None,
    detach: options.Detach = False,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Make the same thing again as a new job, and say whether its bytes are the same."""
    from omnifex.cli.making import carry_out

    job = carry_out(
        context,
        lambda studio: studio.replay(job_id),
        out=out,
        detach=detach,
        home=home,
        json=json,
    )
    if not detach and not json:
        first, second = (
            [file.sha256 for file in one.artifacts if file.role == "output"]
            for one in (type(job)(job.home, job_id), job)
        )
        same = "the same bytes as" if first == second else "other bytes than"
        typer.echo(f"note: {same} job {job_id}", err=True)


@commands.command()
def verify(
    context: typer.Context,
    job_id: JobId,
    models: Annotated[bool, typer.Option(help="Read the models' files, too.")] = True,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Whether its files and its models' still have their hashes; could it be replayed?"""
    with open_studio(context, home) as studio:
        found = studio.verify(job_id, models=models)
    if json:
        typer.echo(
            to_json.dumps(
                {
                    "id": found.job_id,
                    "ok": found.ok,
                    "checked": found.checked,
                    "components": found.components,
                    "damaged": found.damaged,
                    "obstacles": found.obstacles,
                }
            )
        )
    else:
        for fault in found.damaged:
            typer.echo(f"damaged: {fault}", err=True)
        for obstacle in found.obstacles:
            typer.echo(f"cannot be replayed: {obstacle}", err=True)
        counts = {"file": found.checked, "component": found.components}
        read = " and ".join(f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts.items())
        typer.echo(f"{read}, {len(found.damaged) or 'none'} damaged")
    if not found.ok:
        raise typer.Exit(1)


@commands.command()
def pin(
    context: typer.Context,
    job_id: JobId,
    off: Annotated[bool, typer.Option("--off", help="Not any more.")] = False,
    home: options.Home = None,
) -> None:
    """Keep a job whatever old jobs are forgotten."""
    with open_studio(context, home) as studio:
        studio.job(job_id).pin(not off)
