"""Everything that can happen to workers and databases, done to them, and judged by one checker.

    python -m benchmarks.faults                       # on SQLite and PostgreSQL, minutes
    python -m benchmarks.faults --kills 5 --only kills --database sqlite --seed 7

Real processes that run cheap jobs; real `kill -9`, SIGSTOP, SIGTERM and database crashes. In the
end the checker (`faults_checker.py`) reads tables and files with code of its own. Elsewhere:
duplicate submits (F7), jumping clocks (F6) and full disks (F9) are tested in tests/test_jobs_*.py,
contention and backlog (F15, F16) are the queue's benchmark. Not run: network cuts (F5), power loss
(F8, which needs LazyFS), schedules (F14).
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import faults_scenes as scenes
from benchmarks.faults_bench import Bench, Figure
from benchmarks.postgres_server import PostgresServer

Scene = Callable[[Bench], Iterator[Figure]]


def all_scenes(kills: int, repeats: int) -> dict[str, Scene]:
    return {
        "kills": lambda bench: scenes.kills(bench, kills),
        "zombies": lambda bench: scenes.zombies(bench, repeats),
        "supervisor": scenes.supervisor_killed,
        "database": lambda bench: scenes.database_away(bench, repeats),
        "poison": scenes.poison,
        "hang": scenes.hang,
        "cancel": scenes.cancels,
        "stop": scenes.told_to_stop,
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
            line = f"{figure.fault:4} {figure.what:45} {figure.shown:26} {figure.target:15}"
            print(f"  {line} {sign}")
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
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--only", action="append", help="scenes by name")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    chosen = all_scenes(options.kills, options.repeats)
    if options.only:
        chosen = {name: chosen[name] for name in options.only}
    good = True
    for kind in options.database or ["sqlite", "postgresql"]:
        print(kind)
        with tempfile.TemporaryDirectory() as folder:
            good &= on(kind, Path(folder), random.Random(options.seed), chosen)
    raise SystemExit(0 if good else 1)


def on(kind: str, folder: Path, chance: random.Random, chosen: dict[str, Scene]) -> bool:
    if kind == "sqlite":
        return hurt(Bench(kind, str(folder / "home"), None, chance), chosen)
    server = PostgresServer()
    try:
        return hurt(Bench(kind, server.url(), folder / "files", chance, server), chosen)
    finally:
        server.close()


if __name__ == "__main__":
    main()
