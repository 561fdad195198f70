"""How fast the queue is, on SQLite and PostgreSQL, beside Huey and Procrastinate.

    python -m benchmarks.queue                        # minutes, most of them to make the backlog
    python -m benchmarks.queue --backlog 0 --processes 1 4
    python -m benchmarks.queue --on postgresql --processes    # its backlog alone
    pip install 'omnifex[bench]'                      # for the two others

First the disk: the median time of an fdatasync, which bounds every queue that loses nothing. Then
so many processes submit, and then claim and finish, as fast as they can: the next claim with the
end of a job in one transaction, as a worker does that is busy; or claim and finish each in its own,
one or eight jobs a claim.
Then a database with many jobs that have ended and many that wait. Targets: 1,000 claims and
finishes a second where the disk takes 0.25 ms, 50 where it takes 4 ms; the slowest of a hundred
claims within 100 ms with eight processes on SQLite; with the backlog a claim within 5 ms and a page
of 50 jobs within 20 ms.

Huey deletes a task from its database before it runs it, so a killed worker loses it; Procrastinate
keeps it, for somebody to find. Ours writes an attempt and an event with each move.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.postgres_server import PostgresServer
from benchmarks.queue_backlog import Backlog, measure_backlog
from benchmarks.queue_processes import Crew, Figures, System, ours

SYNCS = 100
DATABASES = ("sqlite", "postgresql")


def fdatasync_ms(folder: Path) -> float:
    """The median of writing a page and having it on the disk."""
    times = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def systems(
    folder: Path, server: PostgresServer, at_once: Sequence[int], *, others: bool
) -> list[tuple[System, str]]:
    """What is measured, and where its database is; each is empty at first."""
    places = (f"sqlite:///{folder / 'omnifex.db'}", server.url("omnifex"))
    found = [(ours(many), place) for place in places for many in at_once]
    if others and find_spec("huey"):
        from benchmarks.queue_others import HUEY

        found.insert(len(at_once), (HUEY, str(folder / "huey.db")))
    if others and find_spec("procrastinate"):
        from benchmarks.queue_others import PROCRASTINATE

        found.append((PROCRASTINATE, server.url("procrastinate")))
    return found


def print_rates(name: str, processes: int, figures: Figures) -> None:
    print(
        f"{name:28} {processes:>3} {figures.submits:>9,.0f} {figures.claims:>9,.0f} "
        f"{figures.p50_ms:>8.2f} {figures.p99_ms:>8.2f} {figures.longest_ms:>8.1f} "
        f"{figures.errors:>6}",
        flush=True,
    )


def print_backlog(name: str, made: Backlog, found: Sequence[float]) -> None:
    claim_p50, claim_p99, page_p50, page_p99 = found
    print(
        f"{name:28} {made.ended:>9,} ended {made.waiting:>8,} queued: a claim {claim_p50:.2f} ms "
        f"(p99 {claim_p99:.2f}), a page of 50 {page_p50:.2f} ms (p99 {page_p99:.2f})",
        flush=True,
    )


def measure(options: argparse.Namespace, folder: Path, server: PostgresServer) -> None:
    if options.processes:
        print(
            f"{'':28} {'n':>3} {'submit/s':>9} {'claim+/s':>9} {'p50 ms':>8} {'p99 ms':>8} ", end=""
        )
        print(f"{'max ms':>8} {'errors':>6}")
    for system, address in systems(folder, server, options.at_once, others=not options.alone):
        if kind(address).lower() not in options.on:
            continue
        for processes in options.processes:
            with Crew(system, address, processes) as crew:
                figures = crew.figures(options.seconds)
            print_rates(f"{system.name} on {kind(address)}", processes, figures)
    if options.backlog:
        for address in (f"sqlite:///{folder / 'many.db'}", server.url("many")):
            if kind(address).lower() not in options.on:
                continue
            made = Backlog(options.backlog, options.backlog // 10)
            print_backlog(f"omnifex on {kind(address)}", made, measure_backlog(address, made))


def kind(address: str) -> str:
    return "PostgreSQL" if address.startswith("postgresql") else "SQLite"


def main(arguments: Sequence[str] | None = None) -> None:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parse.add_argument("--processes", type=int, nargs="*", default=[1, 2, 4, 8])
    parse.add_argument("--on", nargs="+", choices=DATABASES, default=DATABASES)
    parse.add_argument("--seconds", type=float, default=3.0, help="of each phase")
    parse.add_argument("--backlog", type=int, default=1_000_000, help="ended jobs; a tenth waits")
    parse.add_argument(
        "--at-once",
        type=int,
        nargs="+",
        default=[0, 1, 8],
        help="jobs in a claim; 0 for one that comes with the end of another",
    )
    parse.add_argument("--alone", action="store_true", help="without Huey and Procrastinate")
    parse.add_argument("--folder", type=Path, help="where the databases are; else a temporary one")
    options = parse.parse_args(arguments)
    within(options.folder, lambda folder, server: measure(options, folder, server))


def within(place: Path | None, act: Callable[[Path, PostgresServer], None]) -> None:
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder, server = Path(name), PostgresServer()
        try:
            disk, load = fdatasync_ms(folder), os.getloadavg()[0]
            print(f"fdatasync {disk:.2f} ms, {os.cpu_count()} cores, load {load:.1f}")
            act(folder, server)
        finally:
            server.close()


if __name__ == "__main__":
    main()
