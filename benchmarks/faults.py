"""Everything that can happen to workers and databases, done to them, and judged by one checker.

    python -m benchmarks.faults                       # on SQLite and PostgreSQL, minutes
    python -m benchmarks.faults --kills 5 --only kills --database sqlite --seed 7

Real processes that run cheap jobs; real `kill -9`, SIGSTOP, SIGTERM, database crashes, a network
that swallows, clocks that are wrong, a disk that is full. In the end the checker
(`faults_checker.py`) reads tables and files with code of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from benchmarks import faults_scenes as scenes
from benchmarks.faults_bench import Bench, Figure
from benchmarks.faults_clock import wrong_clocks
from benchmarks.faults_disk import disk_full
from benchmarks.faults_network import network_cuts
from benchmarks.faults_power import power_cuts
from benchmarks.faults_queue import backlog, contention
from benchmarks.faults_schedules import schedule_kept
from benchmarks.faults_submits import duplicate_submits
from benchmarks.postgres_server import PostgresServer

Scene = Callable[[Bench], Iterator[Figure]]


def all_scenes(options: argparse.Namespace) -> dict[str, Scene]:
    """In the order of the faults' numbers."""
    return {
        "kills": lambda bench: scenes.kills(bench, options.kills),
        "zombies": lambda bench: scenes.zombies(bench, options.repeats),
        "supervisor": scenes.supervisor_killed,
        "database": lambda bench: scenes.database_away(bench, options.repeats),
        "network": network_cuts,
        "clocks": wrong_clocks,
        "submits": lambda bench: duplicate_submits(bench, options.keys),
        "power": lambda bench: power_cuts(bench, options.cuts),
        "disk": disk_full,
        "poison": scenes.poison,
        "hang": scenes.hang,
        "cancel": scenes.cancels,
        "stop": scenes.told_to_stop,
        "schedule": lambda bench: schedule_kept(bench, options.seconds),
        "contention": contention,
        "backlog": lambda bench: backlog(bench, options.backlog),
    }


def hurt(bench: Bench, chosen: dict[str, Scene]) -> bool:
    """Play the scenes, print their figures; whether all targets were met and nothing is wrong."""
    met = True
    for _ in range(2):
        bench.start("cpu:0", "cpu:1")
    for name, scene in chosen.items():
        began = time.monotonic()
        for figure in scene(bench):
            met &= figure.met
            sign = "ok  " if figure.met else "MISS"
            line = f"{figure.fault:4} {figure.what:60} {figure.shown:26} {figure.target:15}"
            print(f"  {line} {sign}", flush=True)
        print(f"       {name} took {time.monotonic() - began:.0f} s", flush=True)
    wrong = bench.violations()
    print(f"  checker: {len(bench.acknowledged)} jobs, {len(wrong)} violations (target 0)")
    for violation in wrong[:20]:
        print(f"    {violation}")
    bench.close()
    return met and not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--kills", type=int, default=50, help="on each database")
    parser.add_argument("--repeats", type=int, default=2, help="of what takes seconds each time")
    parser.add_argument("--cuts", type=int, default=10, help="of the power, with each journal")
    parser.add_argument("--keys", type=int, default=200, help="that eight clients submit")
    parser.add_argument("--seconds", type=float, default=15, help="of a schedule")
    parser.add_argument("--backlog", type=int, default=1_000_000, help="ended jobs")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="of the workers")
    parser.add_argument("--only", action="append", help="scenes by name")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    began = time.monotonic()
    chosen = all_scenes(options)
    if options.only:
        chosen = {name: chosen[name] for name in options.only}
    good = True
    for kind in options.database or ["sqlite", "postgresql"]:
        print(kind)
        with tempfile.TemporaryDirectory() as folder, options.log.open("ab") as log:
            good &= on(kind, Path(folder), random.Random(options.seed), chosen, log)
    print(f"{time.monotonic() - began:.0f} s altogether")
    raise SystemExit(0 if good else 1)


def on(
    kind: str, folder: Path, chance: random.Random, chosen: dict[str, Scene], log: IO[bytes]
) -> bool:
    if kind == "sqlite":
        return hurt(Bench(kind, str(folder / "home"), None, chance, log=log), chosen)
    server = PostgresServer()
    try:
        return hurt(Bench(kind, server.url(), folder / "files", chance, server, log), chosen)
    finally:
        server.close()


if __name__ == "__main__":
    main()
