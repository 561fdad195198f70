"""`omnifex worker`: a process that serves a home until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnifex.cli import options

if TYPE_CHECKING:
    from omnifex.home import Home
    from omnifex.worker.cluster import RayCluster
    from omnifex.worker.supervisor import Supervisor


class Executor(StrEnum):
    """Who starts the processes that own devices."""

    LOCAL = "local"
    RAY = "ray"


def worker(
    context: typer.Context,
    device: Annotated[
        list[str] | None,
        typer.Option(help="A device such as cuda:0; may be repeated.", show_default="all"),
    ] = None,
    at_once: Annotated[
        int, typer.Option(min=1, max=64, help="Jobs that each device runs by turns.")
    ] = 4,
    memory: Annotated[
        str | None,
        typer.Option(
            help="What models may use of each device, such as 8GB.", show_default="what is free"
        ),
    ] = None,
    executor: Annotated[
        Executor, typer.Option(help="Processes of this machine, or actors of a Ray cluster.")
    ] = Executor.LOCAL,
    address: Annotated[
        str | None,
        typer.Option(help="Of the Ray cluster.", show_default="$RAY_ADDRESS or a local one"),
    ] = None,
    home: options.Home = None,
) -> None:
    """Run the jobs of a home until Ctrl-C; what is not done by then goes back to the queue."""
    import logging

    from omnifex.home import open_home

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    opened = open_home(home, context.obj)
    given: dict[str, Any] = {"memory": memory, "at_once": at_once}
    serving: Supervisor | RayCluster
    if executor is Executor.RAY:
        serving, place = on_ray(opened, home, address, **given), "Ray"
    else:
        serving, place = here(opened, home, device, **given)
    with told_to_stop() as told:
        serving.start()
        typer.echo(f"serving {opened.folder} on {place}; Ctrl-C stops", err=True)
        told.wait()
        typer.echo("stopping; what runs goes back to the queue", err=True)
        serving.stop()
    opened.close()


def here(
    opened: Home, home: str | None, devices: list[str] | None, **options: Any
) -> tuple[Supervisor | RayCluster, str]:
    """One process for each device of this machine; and what they are."""
    from omnifex.home import open_home
    from omnifex.worker.supervisor import Supervisor, device_slots

    slots = device_slots(devices)
    return Supervisor(opened, partial(open_home, home), slots, **options), ", ".join(slots)


def on_ray(opened: Home, home: str | None, address: str | None, **options: Any) -> RayCluster:
    """One actor for each GPU of a cluster."""
    from omnifex.worker.cluster import RayCluster, opener

    return RayCluster(opened, opener(home), address, **options)


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; a second one ends the process as usual."""
    told = threading.Event()

    def tell(number: int, _: object) -> None:
        told.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
