"""Schedules of every second, while those who serve them are killed again and again (F14)."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.faults_bench import Bench, Figure, forking, none, until
from benchmarks.faults_plugin import open_speck_home
from omnifex.timetable import put
from omnifex.worker.worker import KEEP_S, Worker
from omnifex_jobs import Claim

NAMES = [f"ticks-{number}" for number in range(6)]
EVERY_SECOND = "* * * * * *"
LEADERS, KILL_EVERY_S = 3, 0.5


class NoDevice:
    """A place that runs no jobs: its worker keeps house, which is to fire schedules too."""

    engines = 0

    def nothing(self, *_: object) -> None:
        pass

    open = cancel = ask_back = release = keep = close = nothing

    def start(self, claim: Claim) -> bool:
        return False

    def running(self) -> list[Claim]:
        return []

    def status(self) -> Mapping[str, Any]:
        return {}

    def residents(self) -> list[Any]:
        return []


class Leader:
    """A process with a worker that only keeps house, until it is killed."""

    def __init__(self, bench: Bench) -> None:
        self._hearing, telling = forking().Pipe(duplex=False)
        about = (bench.address, bench.artifacts and str(bench.artifacts), telling)
        self._process = forking().Process(target=lead, args=about, daemon=True)
        self._process.start()

    def works(self) -> bool:
        return bool(self._hearing.poll())

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def lead(address: str, artifacts: str | None, telling: Connection[Any, Any]) -> None:
    Worker(open_speck_home(address, artifacts), performer=NoDevice()).start()
    time.sleep(KEEP_S)
    telling.send("kept house")
    signal.pause()


def schedules_kept(bench: Bench, seconds: float) -> Iterator[Figure]:
    """F14: any worker makes the job of a time; none is left out, none made twice."""
    for name in NAMES:
        put(bench.home, name, EVERY_SECOND, "UTC", "speck", None, {"prompt": name}, "")
    leaders = [Leader(bench) for _ in range(LEADERS)]
    ends, killed = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        time.sleep(KILL_EVERY_S)
        if able := [one for one in leaders if one.works()]:
            struck = bench.chance.choice(able)
            struck.kill()
            leaders[leaders.index(struck)] = Leader(bench)
            killed += 1
    last = int(time.time()) * 1000
    schedules = bench.home.queue.schedules
    until(lambda: all(one.next_at > last for one in schedules.all()))
    for one in leaders:
        one.kill()
    for name in NAMES:
        schedules.enable(name, False)
    yield from figures(bench, killed, last)


def figures(bench: Bench, killed: int, last: int) -> Iterator[Figure]:
    """Up to the last time that nobody was at when all were killed."""
    missed = due = doubled = 0
    made = bench.rows("SELECT id, idempotency_key FROM job")
    for name in NAMES:
        fires = bench.home.queue.schedules.fires(name)
        times = range(min(fires), last + 1, 1000)
        jobs = [job for job, key in made if fired_by(key, name, last)]
        due += len(times)
        missed += sum(fires.get(at) not in jobs for at in times)
        doubled += len(jobs) - len({fires.get(at) for at in times})
    for job, _ in made:
        bench.home.queue.cancel(job)  # no device here
    bench.acknowledged += [job for job, _ in made]
    said = f"{due} seconds of {len(NAMES)} schedules, {killed} workers killed: missed"
    yield none("F14", said, missed)
    yield none("F14", "made twice", doubled)


def fired_by(key: str, name: str, last: int) -> bool:
    """Whether the job of this key is of that schedule, and not later."""
    _, schedule, at = key.split(":")
    return schedule == name and int(at) <= last
