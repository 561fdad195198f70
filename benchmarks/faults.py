"""Everything that can happen to workers and databases, done to them, and judged by one checker.

    python -m benchmarks.faults                       # on SQLite and PostgreSQL, minutes
    python -m benchmarks.faults --kills 5 --only kills --database sqlite --seed 7

Real processes that run cheap jobs; real `kill -9`, SIGSTOP, SIGTERM, database crashes, a network
that swallows, clocks that are wrong, a disk that is full. In the end the checker
(`faults_checker.py`) reads tables and files with code of its own.

Most faults are waited for: for a lease, an outage, a clock. So several *tracks* of them run beside
each other, each with a home, workers and a server of its own (`faults_tracks.py`), and in the end
what measures the queue's speed, one after the other.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from pathlib import Path

from benchmarks.faults_tracks import TRACKS, Heard, Options, played

DATABASES = ("sqlite", "postgresql")


def main() -> None:
    options = asked()
    print(f"seed {options.seed}", flush=True)
    began = time.monotonic()
    heard = list(played(options))
    good = True
    for kind in options.databases:
        good &= report(kind, [one for one in heard if one.kind == kind])
    cpu_s = sum(one.cpu_s for one in heard)
    print(f"{time.monotonic() - began:.0f} s altogether, {cpu_s:.0f} s of CPU")
    raise SystemExit(0 if good else 1)


def report(kind: str, heard: list[Heard]) -> bool:
    """All figures in the order of the faults; whether all targets were met and nothing is wrong."""
    print(kind)
    figures = [figure for one in heard for figure in one.figures]
    for figure in sorted(figures, key=lambda figure: int(figure.fault[1:])):
        sign = "ok" if figure.met else "MISS"
        line = f"{figure.fault:4} {figure.what:60} {figure.shown:26} {figure.target:15} {sign}"
        print(f"  {line}")
    wrong = [violation for one in heard for violation in one.violations]
    jobs = sum(one.jobs for one in heard)
    print(f"  checker: {jobs} jobs, {len(wrong)} violations (target 0)")
    for violation in wrong[:20]:
        print(f"    {violation}")
    return not wrong and all(figure.met for figure in figures)


def asked() -> Options:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    names = [scene for track in TRACKS for scene in track.scenes]
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--kills", type=int, default=50, help="on each database")
    parser.add_argument("--jobs", type=int, default=25, help="between two kills, at least")
    parser.add_argument("--stops", type=int, default=4, help="of a worker with five jobs")
    parser.add_argument("--outages", type=int, default=5, help="of the database")
    parser.add_argument("--cuts", type=int, default=25, help="of the power, with each journal")
    parser.add_argument("--keys", type=int, default=500, help="that eight clients submit")
    parser.add_argument("--seconds", type=float, default=60, help="of six schedules")
    parser.add_argument("--backlog", type=int, default=1_000_000, help="ended jobs")
    parser.add_argument("--database", choices=DATABASES, action="append", dest="databases")
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="of the workers")
    parser.add_argument("--only", choices=names, action="append", default=[], metavar="SCENE")
    parser.add_argument("--beside", type=int, default=4, help="tracks at a time")
    given = vars(parser.parse_args())
    return Options(**{**given, "databases": given["databases"] or DATABASES})


if __name__ == "__main__":
    main()
