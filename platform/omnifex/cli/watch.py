"""Progress bars of running jobs: stage, step and the time that is left."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from omnifex.cli import INTERRUPTED
from omnifex.job import Job
from omnifex.studio import Studio
from omnifex_jobs import Job as Record

LOOK_S = 0.1


def watch(studio: Studio, jobs: Sequence[Job], *, quiet: bool = False) -> None:
    """Show the jobs until all have ended; Ctrl-C cancels them and exits.

    Where no worker serves the home, or the one that did goes away, this process works.
    """
    console, news = Console(stderr=True), jobs[0].home.news
    try:
        with bars(console, quiet) as progress:
            tasks = {job: progress.add_task(job.modality, total=1.0, detail="") for job in jobs}
            while True:
                heard = news.count
                records = {job: job.record for job in tasks}
                for job, record in records.items():
                    progress.update(
                        tasks[job], completed=record.progress.value, detail=detail(record)
                    )
                if all(record.final for record in records.values()):
                    return
                if not studio.served:
                    studio.serve()
                news.wait(heard, LOOK_S)
    except KeyboardInterrupt:
        cancel(jobs)
        raise typer.Exit(INTERRUPTED) from None


def cancel(jobs: Sequence[Job]) -> None:
    """Stop what is not done; who leaves the studio waits until what runs there has stopped."""
    for job in jobs:
        if not job.done:
            job.cancel("Canceled from the command line.")
            typer.echo(f"omnifex: canceled job {job.id}", err=True)


def bars(console: Console, quiet: bool) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}"),
        console=console,
        disable=quiet or not console.is_terminal,
    )


def detail(record: Record) -> str:
    """`sampling 7/20, 3 s left`."""
    progress = record.progress
    if record.final or not progress.stage:
        return str(record.state)
    steps = f" {progress.step}/{progress.steps}" if progress.steps else ""
    left = f", {progress.eta:.0f} s left" if progress.eta and progress.eta >= 1 else ""
    return f"{progress.stage}{steps}{left}"
