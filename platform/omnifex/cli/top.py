"""`omnifex top`: the workers of a home, live in the terminal, from any process."""

from __future__ import annotations

import json as to_json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnifex.cli import options
from omnifex.cli.options import open_studio

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from omnifex.overview import Overview
    from omnifex.studio import Studio
    from omnifex_jobs import Job, Worker

LOOK_S = 0.5
BAR = 12  # characters


def top(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
    home: options.Home = None,
    json: options.Json = False,
) -> None:
    """Devices, components in memory, running jobs and batches, live; Ctrl-C ends it."""
    from rich.console import Console

    from omnifex.overview import overview_object

    console = Console()
    with open_studio(context, home) as studio:
        if json:
            typer.echo(to_json.dumps(overview_object(studio.overview())))
        elif once or not console.is_terminal:
            console.print(frame(studio.overview()))
        else:
            live(console, studio)


def live(console: Any, studio: Studio) -> None:
    """A new frame twice a second until Ctrl-C, which is how one leaves."""
    from rich.live import Live

    try:
        with Live(console=console, screen=True, auto_refresh=False) as page:
            while True:
                page.update(frame(studio.overview()), refresh=True)
                time.sleep(LOOK_S)
    except KeyboardInterrupt:
        return


def frame(seen: Overview) -> RenderableType:
    """The whole page."""
    from rich.console import Group
    from rich.markup import escape

    counts = ", ".join(f"{count} {state}" for state, count in seen.counts.items() if count)
    head = f"[bold]{escape(seen.folder)}[/]  {counts or 'no jobs'}"
    if not seen.workers:
        start = f"start one with `omnifex worker --home {seen.folder}`"
        return Group(head, f"No worker serves this home; {escape(start)}.")
    return Group(head, *(worker_panel(worker, seen) for worker in seen.workers))


def worker_panel(worker: Worker, seen: Overview) -> RenderableType:
    """One worker: its engines, then its jobs; a dead one in red, as it was last heard of."""
    from rich.console import Group
    from rich.panel import Panel

    from omnifex.overview import alive, engines_of
    from omnifex.presence import silence

    here = alive(worker)
    parts = [part for engine in engines_of(worker) for part in engine_parts(engine)]
    jobs = seen.jobs_of(worker)
    if jobs:
        parts.append(job_table(jobs))
    title = f"worker {worker.id} on {worker.host}, process {worker.pid}"
    if not here:
        title += f": dead, last heard of {silence(worker):.0f} s ago"
    return Panel(
        Group(*(parts or [f"idle on {', '.join(worker.devices)}; no job has come yet"])),
        title=title,
        title_align="left",
        border_style="green" if here else "red",
    )


def engine_parts(engine: Mapping[str, Any]) -> Iterator[RenderableType]:
    """A line of figures, and what is in memory."""
    from omnifex.cli.show import size

    memory = f"{size(engine['memory_used'])} of {size(engine['memory_budget'])}"
    yield (
        f"[bold]{engine['device']}[/]  memory {memory}, busy {engine['busy']:.0%}, "
        f"{engine['calls_per_second']:.1f} calls/s, {engine['batch']:.2f} calls a batch, "
        f"{engine['queue']} waiting\n"
    )
    if engine["components"]:
        yield component_table(engine["components"])
        yield ""


def component_table(components: Sequence[Mapping[str, Any]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from omnifex.cli.show import size

    table = Table("component", "class", "size", "where", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for part in components:
        table.add_row(escape(part["role"]), part["class"], size(part["bytes"]), part["tier"])
    return table


def job_table(jobs: Sequence[Job]) -> Table:
    from rich.markup import escape
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    heads = ("job", "modality", "model", "stage", "", "left", "prompt")
    table = Table(*heads, box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    table.columns[6].overflow = "ellipsis"
    for job in jobs:
        reached = job.progress
        steps = f" {reached.step}/{reached.steps}" if reached.steps else ""
        table.add_row(
            job.id,
            job.modality,
            escape(job.model),
            f"{reached.stage}{steps}",
            ProgressBar(total=1.0, completed=reached.value, width=BAR),
            "" if reached.eta is None else f"{reached.eta:.0f} s",
            escape(str(job.recipe["request"]["prompt"])),
        )
    return table
