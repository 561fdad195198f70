"""A home under attack: jobs that are acknowledged, real worker processes, and ways to hurt them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import psutil
from sqlalchemy import text

from benchmarks.faults_checker import read, violations
from benchmarks.faults_plugin import open_speck_home
from benchmarks.postgres_server import PostgresServer, die_with_parent
from omnifex.home import Home, places
from omnifex.order import Order
from omnifex.submission import submit
from omnifex_jobs import Job, Recipe, State

ROOT = Path(__file__).parents[1]
LEASE_S = 4.0
ATTEMPTS = 1000
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Figure:
    """One line of the report."""

    fault: str
    what: str
    shown: str
    target: str
    met: bool


def none(fault: str, what: str, count: int) -> Figure:
    """Of what must never happen."""
    return Figure(fault, what, str(count), "0", not count)


def whole(fault: str, what: str, some: int, every: int) -> Figure:
    """Of what must happen every time."""
    return Figure(fault, what, f"{some} of {every}", "all", some == every)


def true(fault: str, what: str, so: bool) -> Figure:
    return Figure(fault, what, str(so), "True", so)


@dataclass
class Supervised:
    """A supervisor's process, and so many others that run jobs."""

    process: subprocess.Popen[bytes]
    slots: int

    def signal(self, number: int) -> None:
        """To all of its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def wake(self) -> None:
        """After `Bench.freeze`."""
        self.signal(signal.SIGCONT)

    def end(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()

    def family(self) -> list[psutil.Process]:
        """All processes but itself."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def devices(self) -> list[psutil.Process]:
        """The processes that run jobs: the forks of the one that was forked from."""
        with suppress(psutil.NoSuchProcess):
            direct = psutil.Process(self.process.pid).children()
            return [fork for one in direct for fork in one.children() if lives(fork)]
        return []

    def complete(self) -> bool:
        return len(self.devices()) == self.slots


@dataclass
class Bench:
    """One home on one kind of database."""

    kind: str
    address: str
    artifacts: Path | None
    chance: random.Random
    server: PostgresServer | None = None
    log: int | IO[bytes] = subprocess.DEVNULL  # where the workers say what they think of it
    acknowledged: list[str] = field(default_factory=list)
    workers: list[Supervised] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home: Home = open_speck_home(self.address, self.artifacts and str(self.artifacts))
        first = submit(self.home, "speck", {"prompt": "first", "seed": 1}, None, Order())
        self.acknowledged.append(first.id)
        self._body = dict(first.recipe)

    def submit(self, count: int, prompt: str = "speck", **options: Any) -> list[str]:
        """Acknowledged jobs; `steps` and `pace` go into the request, the rest into the queue."""
        asked = {key: options.pop(key) for key in ("steps", "pace") if key in options}
        options.setdefault("max_attempts", ATTEMPTS)
        ids = []
        for _ in range(count):
            request = {**self._body["request"], "prompt": prompt, **asked}
            request["seed"] = self.chance.randrange(50)  # few, so that equal ones are compared
            recipe = Recipe({**self._body, "request": request})
            ids.append(
                self.home.queue.submit(recipe, modality="speck", model="specks", **options).id
            )
        self.acknowledged += ids
        return ids

    def start(self, *slots: str, address: str = "", clock: str = "") -> Supervised:
        """One more supervisor, in a process group of its own; with a wrong clock, if one is said.

        Another `address` is another way to the same database.
        """
        where = [address or self.address, str(self.artifacts or "")]
        arguments = [*where, str(LEASE_S), clock, *slots]
        command = [sys.executable, "-m", "benchmarks.faults_worker", *arguments]
        dying = partial(die_with_parent, signal.SIGKILL)
        process = subprocess.Popen(
            command, cwd=ROOT, start_new_session=True, stderr=self.log, preexec_fn=dying
        )
        self.workers.append(Supervised(process, len(slots)))
        return self.workers[-1]

    def freeze(self, worker: Supervised) -> None:
        """Stop it, but not inside a transaction: on SQLite nobody could write until it wakes."""
        worker.signal(signal.SIGSTOP)
        while not self._writable():
            worker.signal(signal.SIGCONT)
            time.sleep(0.05)
            worker.signal(signal.SIGSTOP)

    def _writable(self) -> bool:
        if self.server:
            return True
        driver: Any = self.home.database.dialect.loaded_dbapi
        db = driver.connect(self.home.database.url.database, timeout=0.3, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
        except driver.OperationalError:
            return False
        finally:
            db.close()
        return True

    def close(self) -> None:
        for worker in self.workers:
            worker.end()
        self.home.close()

    def jobs(self, ids: Sequence[str]) -> list[Job]:
        return [self.home.queue.get(job_id) for job_id in ids]

    def until_over(self, ids: Sequence[str]) -> None:
        until(lambda: len(self.home.queue.over(ids)) == len(set(ids)))

    def count(self, state: State) -> int:
        return self.home.queue.counts()[state]

    def running(self) -> int:
        return self.count(State.RUNNING)

    def succeeded(self, ids: Sequence[str]) -> int:
        return sum(job.state is State.SUCCEEDED for job in self.jobs(ids))

    def value(self, query: str) -> Any:
        """Of one row, as the database itself has it."""
        with self.home.database.begin() as db:
            return db.execute(text(query)).scalar()

    def stop(self, worker: Supervised) -> None:
        """End it for good."""
        self.workers.remove(worker)
        worker.end()

    def violations(self) -> list[str]:
        """What the checker has to say of everything so far."""
        folder, address = places(self.address, self.artifacts)
        return list(violations(read(address), self.acknowledged, folder / "artifacts"))


def until(ready: Callable[[], object], seconds: float = PATIENCE_S) -> float:
    """Seconds that it took; what never comes shows in the report."""
    began = time.monotonic()
    while not ready() and time.monotonic() < began + seconds:
        time.sleep(0.02)
    return time.monotonic() - began


def lives(one: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(one.is_running() and one.status() != psutil.STATUS_ZOMBIE)
    return False
