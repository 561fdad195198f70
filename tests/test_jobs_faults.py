"""Real processes, killed for real, and a disk that is full for real."""

import multiprocessing
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from jobs_cases import artifact, open_queue, queue_at, small_disk, submissions, submit

from benchmarks.postgres_server import PostgresServer
from omnifex_jobs import Claim, JobQueue, State
from omnifex_jobs.database import sqlite
from omnifex_jobs.errors import DiskFull, LostClaim

JOBS = 200
DRIVERS = list(dict.fromkeys([sqlite3, sqlite.safest_driver()]))


def work(address: str, driver: str, ready: "multiprocessing.synchronize.Barrier") -> None:
    """One process: claims until nothing is left."""
    queue = queue_at(address, sys.modules.get(driver) or __import__(driver, fromlist=["x"]))
    name = queue.register()
    ready.wait(60)
    while claims := queue.claim(name, limit=2):
        for claim in claims:
            queue.succeed(claim, metrics={"token": claim.token})
    queue.gone(name)


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda it: it.__name__)
def test_four_processes_run_each_job_once(tmp_path: Path, driver: ModuleType) -> None:
    share_the_work(f"sqlite:///{tmp_path / 'jobs.db'}", driver)


def test_four_processes_share_a_server(postgres: PostgresServer, migrated: str) -> None:
    share_the_work(postgres.url("shared", like=migrated), sqlite3)
    postgres.drop("shared")


def share_the_work(address: str, driver: ModuleType) -> None:
    queue = queue_at(address, driver)
    queue.submit_many(submissions(JOBS))
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(4)
    workers = [spawn.Process(target=work, args=(address, driver.__name__, ready)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert queue.counts()[State.SUCCEEDED] == JOBS
    assert all(len(queue.attempts(made.id)) == 1 for made in queue.find(limit=JOBS))
    started = [event for event in queue.events(limit=9 * JOBS) if event.kind == "running"]
    assert len({event.job_id for event in started}) == len(started) == JOBS
    assert queue.workers() == []
    queue._engine.dispose()


HOLDER = """
import sys, time
from pathlib import Path
from jobs_cases import open_queue
queue = open_queue(Path(sys.argv[1]))
[claim] = queue.claim(queue.register(), lease_s=0.4)
print(claim.token, flush=True)
time.sleep(60)
"""


def test_a_killed_workers_job_is_rescued_and_its_late_finish_refused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    queue = open_queue(path)
    made = submit(queue)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )
    assert holder.stdout is not None
    token = holder.stdout.readline().strip()
    holder.kill()
    holder.communicate()
    assert queue.get(made.id).state == State.RUNNING
    while not (rescued := queue.rescue()):
        time.sleep(0.05)
    assert rescued == [made.id]
    [again] = queue.claim("another")
    late = Claim(queue.get(made.id), token, 1)
    with pytest.raises(LostClaim):
        queue.succeed(late, [artifact("b")])
    queue.succeed(again, [artifact("a")])
    done = queue.get(made.id)
    assert (done.state, [it.sha256[0] for it in done.artifacts]) == (State.SUCCEEDED, ["a"])
    assert [it.outcome for it in queue.attempts(made.id)] == ["rescue", "succeed"]
    queue._engine.dispose()


def submit_for_ever(queue: JobQueue, acknowledged: list[str]) -> None:
    while True:
        acknowledged.append(submit(queue, "x" * 4_000 + str(len(acknowledged))).id)


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda it: it.__name__)
def test_a_full_disk_keeps_every_acknowledged_job(tmp_path: Path, driver: ModuleType) -> None:
    with small_disk(tmp_path) as disk:
        (disk / "ballast").write_bytes(bytes(200_000))
        queue = open_queue(disk / "jobs.db", driver)
        acknowledged: list[str] = []
        with pytest.raises(DiskFull, match="free some space"):
            submit_for_ever(queue, acknowledged)
        assert len(acknowledged) > 3
        assert [made.id for made in reversed(queue.find(limit=999))] == acknowledged
        (disk / "ballast").unlink()
        assert submit(queue, "there is room again").state == State.QUEUED
        assert queue.counts()[State.QUEUED] == len(acknowledged) + 1
        with queue._engine.begin() as db:
            assert db.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        queue._engine.dispose()
