"""`omnifex queues` and `omnifex schedules`: who is next, and what comes again and again."""

from __future__ import annotations

import json as to_json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from omnifex.cli import options
from omnifex.cli.options import open_studio

queues = typer.Typer(help="Queues: list, pause, resume, limit, owner, keep, prune.")
schedules = typer.Typer(help="Schedules: list, add, pause, resume, remove.")
Name = Annotated[str, typer.Argument(help="Its name.", show_default=False)]
Many = Annotated[int | None, typer.Option(help="How many at once.", show_default="any number")]


@queues.callback(invoke_without_command=True)
def show_queues(
    context: typer.Context, home: options.Home = None, json: options.Json = False
) -> None:
    if context.invoked_subcommand is None:
        list_queues(context, home=home, json=json)


@queues.command("list")
def list_queues(
    context: typer.Context, home: options.Home = None, json: options.Json = False
) -> None:
    """The queues, and the owners for whom something was set."""
    with open_studio(context, home) as studio:
        found, owners = studio.queues.queues(), studio.queues.owners()
        days = {state: time / timedelta(days=1) for state, time in studio.queues.kept().items()}
    if json:
        lines = {"queues": [asdict(it) for it in found], "owners": [asdict(it) for it in owners]}
        typer.echo(to_json.dumps({**lines, "keep_days": days}))
        return
    for queue in found:
        counts = ", ".join(f"{many} {state}" for state, many in queue.jobs.items()) or "empty"
        most = "" if queue.max_running is None else f", at most {queue.max_running} at once"
        typer.echo(f"{queue.name}: {'paused, ' if queue.paused_at else ''}{counts}{most}")
    for owner in owners:
        limits = f"{owner.max_running} running, {owner.max_waiting} waiting"
        typer.echo(f"owner {owner.name}: weight {owner.weight:g}, at most {limits}")
    for state, many in days.items():
        typer.echo(f"{state} jobs are kept for {many:g} days")


@queues.command()
def pause(context: typer.Context, name: Name = "default", home: options.Home = None) -> None:
    """Begin nothing more of a queue; what runs goes on."""
    with open_studio(context, home) as studio:
        studio.queues.pause(name)


@queues.command()
def resume(context: typer.Context, name: Name = "default", home: options.Home = None) -> None:
    """Begin jobs of the queue again."""
    with open_studio(context, home) as studio:
        studio.queues.resume(name)


@queues.command()
def limit(
    context: typer.Context, name: Name, running: Many = None, home: options.Home = None
) -> None:
    """How many jobs of a queue run at once."""
    with open_studio(context, home) as studio:
        studio.queues.limit(name, running)


@queues.command()
def owner(
    context: typer.Context,
    name: Name,
    weight: Annotated[float, typer.Option(help="Its share, against that of others.")] = 1.0,
    running: Many = None,
    waiting: Annotated[
        int | None, typer.Option(help="How many may wait.", show_default="any number")
    ] = None,
    home: options.Home = None,
) -> None:
    """What an owner gets of the devices, and how much it may ask for."""
    from omnifex_jobs.order.owners import Owner

    with open_studio(context, home) as studio:
        studio.queues.set_owner(Owner(name, weight, running, waiting))


@queues.command()
def keep(
    context: typer.Context,
    state: Annotated[str, typer.Argument(help="succeeded, failed or canceled.")],
    days: Annotated[
        float | None, typer.Option(min=0, help="For so many days.", show_default="for ever")
    ] = None,
    home: options.Home = None,
) -> None:
    """How long jobs that ended so are kept; workers forget older ones, but none that is pinned."""
    with open_studio(context, home) as studio:
        studio.queues.keep(state, None if days is None else timedelta(days=days))


@queues.command()
def prune(
    context: typer.Context,
    days: Annotated[float, typer.Option(min=0, help="Jobs that ended so many days ago.")],
    home: options.Home = None,
) -> None:
    """Forget old jobs; files that no job has now stay in the store."""
    with open_studio(context, home) as studio:
        forgotten, files = studio.queues.prune(days * 86_400)
    typer.echo(f"{forgotten} jobs forgotten; {len(files)} files belong to no job now")


@schedules.callback(invoke_without_command=True)
def show_schedules(
    context: typer.Context, home: options.Home = None, json: options.Json = False
) -> None:
    if context.invoked_subcommand is None:
        list_schedules(context, home=home, json=json)


@schedules.command("list")
def list_schedules(
    context: typer.Context, home: options.Home = None, json: options.Json = False
) -> None:
    """The schedules, and when each comes next."""
    with open_studio(context, home) as studio:
        found = studio.schedules.all()
    if json:
        typer.echo(to_json.dumps({"schedules": [asdict(it) for it in found]}))
        return
    for it in found:
        moment = datetime.fromtimestamp(it.next_at / 1000, UTC).isoformat(" ", "minutes")
        when = f"next {moment}" if it.enabled else "paused"
        prompt = it.order["fields"].get("prompt", "")
        typer.echo(f"{it.name}: {it.cron} ({it.zone}), {when}: {it.order['modality']} {prompt!r}")


@schedules.command()
def add(
    context: typer.Context,
    name: Name,
    cron: Annotated[str, typer.Argument(help="Such as '0 7 * * mon-fri'.")],
    modality: Annotated[str, typer.Argument(help="What to make.")],
    prompt: Annotated[str, typer.Argument(help="Of what.")],
    zone: Annotated[str, typer.Option(help="The time zone.")] = "UTC",
    model: Annotated[str | None, typer.Option(help="The model, by name.")] = None,
    home: options.Home = None,
) -> None:
    """Make a thing again and again; each time another seed."""
    with open_studio(context, home) as studio:
        studio.schedule(name, cron, modality, zone=zone, model=model, prompt=prompt)


@schedules.command("pause")
def pause_schedule(context: typer.Context, name: Name, home: options.Home = None) -> None:
    """Let its times pass."""
    with open_studio(context, home) as studio:
        studio.schedules.enable(name, False)


@schedules.command("resume")
def resume_schedule(context: typer.Context, name: Name, home: options.Home = None) -> None:
    """Go on from its next time."""
    with open_studio(context, home) as studio:
        studio.schedules.enable(name)


@schedules.command()
def remove(context: typer.Context, name: Name, home: options.Home = None) -> None:
    """Forget a schedule, not the jobs that it made."""
    with open_studio(context, home) as studio:
        studio.schedules.remove(name)
