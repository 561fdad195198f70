"""A home under attack: jobs that are acknowledged, real worker processes, and ways to hurt them."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
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
from omnifex.submission import draft
from omnifex_jobs import Job, Recipe, State, Submission

ROOT = Path(__file__).parents[1]
Log = int | IO[bytes]
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
            return [one for one in self.family() if one.ppid() != self.process.pid and lives(one)]
        return []

    def complete(self) -> bool:
        return len(self.devices()) == self.slots

    def until_complete(self) -> None:
        until(self.complete, every=0.1)  # each look reads the list of all processes


@dataclass
class Bench:
    """One home on one kind of database."""

    kind: str
    address: str
    artifacts: Path | None
    chance: random.Random
    server: PostgresServer | None = None
    log: Log = subprocess.DEVNULL  # where the workers say what they think of it
    acknowledged: list[str] = field(default_factory=list)
    workers: list[Supervised] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home: Home = open_speck_home(self.address, self.artifacts and str(self.artifacts))
        drawn = draft(self.home, "speck", {"prompt": "speck"}, None, Order())
        self._body = drawn.submission.recipe.body

    def submit(self, count: int, prompt: str = "speck", **options: Any) -> list[str]:
        """Acknowledged jobs; `steps` and `pace` go into the request, the rest into the queue."""
        asked = {key: options.pop(key) for key in ("steps", "pace") if key in options}
        options.setdefault("max_attempts", ATTEMPTS)
        body = self._body
        requests = [{**body["request"], "prompt": prompt, **asked} for _ in range(count)]
        for request in requests:
            request["seed"] = self.chance.randrange(50)  # few, so that equal ones are compared
        made = self.home.queue.submit_many(
            Submission(Recipe({**body, "request": request}), "speck", "specks", **options)
            for request in requests
        )
        ids = [job.id for job in made]
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
        until(lambda: len(self.home.queue.over(ids)) == len(set(ids)), every=0.05)

    def until_begun(self, ids: Sequence[str]) -> None:
        """Claimed at least once: that they run is soon over, and may not be seen."""
        until(lambda: self.claims().keys() >= set(ids), every=0.05)

    def count(self, *states: State) -> int:
        counts = self.home.queue.counts()
        return sum(counts[state] for state in states)

    def succeeded(self, ids: Sequence[str]) -> int:
        done = self.rows("SELECT id FROM job WHERE state = 'succeeded'")
        return len({row.id for row in done} & set(ids))

    def claims(self) -> dict[str, list[Any]]:
        """Every claim of each job, in their order."""
        found = self.rows(
            "SELECT job_id, started_at, ended_at, outcome FROM job_attempt ORDER BY started_at"
        )
        claims = defaultdict(list)
        for claim in found:
            claims[claim.job_id].append(claim)
        return claims

    def rows(self, query: str) -> Sequence[Any]:
        """As the database itself has them."""
        with self.home.database.begin() as db:
            return db.execute(text(query)).all()

    def value(self, query: str) -> Any:
        """Of one row."""
        return self.rows(query)[0][0]

    def stop(self, worker: Supervised) -> None:
        """End it for good."""
        self.workers.remove(worker)
        worker.end()

    def violations(self) -> list[str]:
        """What the checker has to say of everything so far."""
        folder, address = places(self.address, self.artifacts)
        return list(violations(read(address), self.acknowledged, folder / "artifacts"))


@contextmanager
def opened(kind: str, chance: random.Random, log: Log = subprocess.DEVNULL) -> Iterator[Bench]:
    """A bench in a temporary folder, on PostgreSQL with a server of its own."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, server = Path(name), None
        if kind == "postgresql":
            server = PostgresServer()
            stack.callback(server.close)
        where = (server.url(), folder / "files") if server else (str(folder / "home"), None)
        bench = Bench(kind, *where, chance, server, log)
        stack.callback(bench.close)
        yield bench


def until(ready: Callable[[], object], seconds: float = PATIENCE_S, every: float = 0.02) -> float:
    """Seconds that it took; what never comes shows in the report."""
    began = time.monotonic()
    while not ready() and time.monotonic() < began + seconds:
        time.sleep(every)
    return time.monotonic() - began


def forking() -> Any:
    """Processes that need no torch, forked in milliseconds from one that has imported the rest."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.faults_schedules", "benchmarks.faults_power"])
    return context


def lives(one: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(one.is_running() and one.status() != psutil.STATUS_ZOMBIE)
    return False
