"""The power fails while jobs are submitted and run, on a disk that forgets (F8).

No supervisors here, but processes that do at full speed what those do to the database and the
store: submit, claim, put the file, succeed. What they were told lies outside of the disk.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, text

from benchmarks.faults_bench import Bench, Figure, forking, none
from benchmarks.faults_checker import broken_files
from benchmarks.forgetful_disk import ForgetfulDisk
from benchmarks.postgres_server import PostgresServer
from omnifex_jobs import Artifact, ArtifactStore, JobQueue, Recipe, migrate, open_database
from omnifex_jobs.database import sqlite

PROCESSES = 3
MOST_S = 0.6  # from one power cut to the next


@dataclass
class Heard:
    """What the processes were told, by a disk that is no more."""

    submitted: list[str] = field(default_factory=list)
    succeeded: list[str] = field(default_factory=list)
    lost: int = 0
    undone: int = 0
    broken: list[str] = field(default_factory=list)
    unsound: int = 0  # integrity checks that were not "ok"


def power_cuts(bench: Bench, times: int) -> Iterator[Figure]:
    """F8: on SQLite with each of the two journals, or a PostgreSQL whose data is on that disk."""
    if not ForgetfulDisk.usable():
        yield Figure("F8", "power cuts", "not run: needs /dev/fuse and root", "–", False)
        return
    drivers = [None] if bench.server else dict.fromkeys([sqlite3, sqlite.safest_driver()])
    for driver in drivers:
        with ForgetfulDisk() as disk, closing(opened(disk, driver)) as there:
            heard = suffered(there, bench.chance, times)
        said = f"{times} power cuts, {there.name}, {len(heard.submitted)} submitted: lost"
        yield none("F8", said, heard.lost)
        yield none("F8", f"{len(heard.succeeded)} succeeded: undone", heard.undone)
        yield none("F8", f"files lost or broken {heard.broken[:1] or ''}", len(heard.broken))
        yield none("F8", "databases that are not sound", heard.unsound)


class OnSQLite:
    """A database on the disk, and what the power does to it."""

    def __init__(self, disk: ForgetfulDisk, driver: ModuleType) -> None:
        self.disk, self.driver = disk, driver.__name__
        self.name = "rollback journal" if sqlite.vulnerable(driver.sqlite_version_info) else "WAL"
        self.address = f"sqlite:///{disk.folder / 'omnifex.db'}"

    def cut(self) -> None:
        self.disk.cut()

    def sound(self, db: Connection) -> bool:
        return bool(db.execute(text("PRAGMA integrity_check")).scalar() == "ok")

    def close(self) -> None:
        pass


class OnPostgreSQL:
    """The same of a server, which is killed with the power, and begins again."""

    name, driver = "PostgreSQL", ""

    def __init__(self, disk: ForgetfulDisk) -> None:
        self.disk, self._server = disk, PostgresServer(disk.folder)
        self.address = self._server.url()

    def cut(self) -> None:
        self._server.stop(signal.SIGQUIT)
        self.disk.cut()
        self._server.start()

    def sound(self, db: Connection) -> bool:
        """Whether all indexes hold all rows, where the server brings the means to ask."""
        known = "SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'"
        if not db.execute(text(known)).scalar():
            return True
        db.execute(text("CREATE EXTENSION IF NOT EXISTS amcheck"))
        trees = "FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE amname = 'btree'"
        db.execute(text(f"SELECT bt_index_check(c.oid, true) {trees} AND relkind = 'i'"))
        return True

    def close(self) -> None:
        self._server.close()


There = OnSQLite | OnPostgreSQL


def opened(disk: ForgetfulDisk, driver: ModuleType | None) -> There:
    return OnSQLite(disk, driver) if driver else OnPostgreSQL(disk)


def database(there: There) -> Engine:
    return open_database(there.address, driver=driver_named(there.driver))


def driver_named(name: str) -> ModuleType | None:
    return import_module(name) if name else None


def suffered(there: There, chance: random.Random, times: int) -> Heard:
    heard = Heard()
    made = database(there)
    migrate(made)
    made.dispose()
    there.disk.settle()
    for _ in range(times):
        work_until_cut(there, chance.uniform(0.1, MOST_S), heard)
        with reading(there) as db:
            heard.unsound += not there.sound(db)
    judge(there, heard)
    return heard


def work_until_cut(there: There, seconds: float, heard: Heard) -> None:
    pipes, processes = [], []
    for _ in range(PROCESSES):
        ours, theirs = forking().Pipe(duplex=False)
        arguments = (str(there.disk.folder), there.address, there.driver, theirs)
        processes.append(forking().Process(target=work, args=arguments, daemon=True))
        processes[-1].start()
        theirs.close()
        pipes.append(ours)
    pipes[0].poll(60)  # at least one of them works
    time.sleep(seconds)
    for process in processes:
        process.kill()
        process.join()
    there.cut()
    for pipe in pipes:
        hear(pipe, heard)


def hear(pipe: Pipe[Any, Any], heard: Heard) -> None:
    with suppress(EOFError, OSError):
        while True:
            what, job_id = pipe.recv()
            (heard.submitted if what == "submitted" else heard.succeeded).append(job_id)


def work(folder: str, address: str, driver: str, pipe: Pipe[Any, Any]) -> None:
    """One process: says what it was told, until it is killed."""
    queue = JobQueue(open_database(address, driver=driver_named(driver)))
    store, worker = ArtifactStore(Path(folder) / "artifacts"), queue.register()
    while True:
        recipe = Recipe({"prompt": os.urandom(8).hex()})
        made = queue.submit(recipe, modality="speck", model="specks")
        pipe.send(("submitted", made.id))
        for claim in queue.claim(worker):
            file = store.put(os.urandom(2000), suffix="bin", media_type="application/x")
            queue.succeed(claim, [Artifact(file.sha256, file.media_type, file.size)])
            pipe.send(("succeeded", claim.job.id))


def judge(there: There, heard: Heard) -> None:
    """What is there after all cuts against what was told; reads the tables itself."""
    with reading(there) as db:
        states = dict(db.execute(text("SELECT id, state FROM job")).all())
        files = db.execute(text("SELECT job_id, sha256 FROM job_artifact")).all()
    heard.lost = sum(job not in states for job in heard.submitted)
    heard.undone = sum(states.get(job) != "succeeded" for job in heard.succeeded)
    store = there.disk.folder / "artifacts"
    heard.broken = [w for job, sha256 in files for w in broken_files(job, [sha256], store)]


@contextmanager
def reading(there: There) -> Iterator[Connection]:
    found = database(there)
    with found.begin() as db:
        yield db
    found.dispose()
