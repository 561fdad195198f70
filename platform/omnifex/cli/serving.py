"""`omnifex worker`: a process that serves a home until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import typer

from omnifex.cli import options


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
    home: options.Home = None,
) -> None:
    """Run the jobs of a home until Ctrl-C; what is not done by then goes back to the queue."""
    import logging

    from omnifex.home import open_home
    from omnifex.worker.supervisor import Supervisor, device_slots

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    opened = open_home(home, context.obj)
    slots = device_slots(device)
    serving = Supervisor(opened, partial(open_home, home), slots, memory=memory, at_once=at_once)
    with told_to_stop() as told:
        serving.start()
        typer.echo(f"serving {opened.folder} on {', '.join(slots)}; Ctrl-C stops", err=True)
        told.wait()
        typer.echo("stopping; what runs goes back to the queue", err=True)
        serving.stop()
    opened.close()


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
