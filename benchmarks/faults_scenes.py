"""The faults, one function each: hurt the bench, wait, and say what came of it.

Supervisors are there, with two devices each. Where only one is to work, the others sleep.
"""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any

import psutil
from sqlalchemy import text

from benchmarks.faults_bench import (
    LEASE_S,
    Bench,
    Figure,
    Supervised,
    lives,
    none,
    true,
    until,
    whole,
)
from omnifex_jobs import State
from omnifex_jobs.states import FINAL

BACKLOG = 12
HELD = 5  # jobs that a worker has when it stands still
QUICK = {"steps": 4, "pace": 0.005}
SLOW = {"steps": 10, "pace": 0.1}  # a job of a second


@contextmanager
def alone(bench: Bench) -> Iterator[Supervised]:
    """The first supervisor works, the others sleep."""
    with asleep(bench, but=1):
        yield bench.workers[0]


@contextmanager
def asleep(bench: Bench, but: int = 0) -> Iterator[None]:
    """All sleep but the first."""
    for worker in bench.workers:
        worker.until_complete()
    sleeping = bench.workers[but:]
    for worker in sleeping:
        bench.freeze(worker)
    try:
        yield
    finally:
        for worker in sleeping:
            worker.wake()


def kills(bench: Bench, times: int, jobs: int) -> Iterator[Figure]:
    """F1: `kill -9` of a device's process at a random moment, with so many jobs between two."""
    ids: list[str] = []
    struck: list[float] = []
    with alone(bench) as worker:
        while len(struck) < times:
            let_end(bench, ids, jobs)
            time.sleep(bench.chance.uniform(0.0, 0.5))
            worker.until_complete()  # the one before has been replaced
            began = time.time()  # its jobs may be given back before the next line
            with suppress(psutil.NoSuchProcess):
                bench.chance.choice(worker.devices()).kill()
                struck.append(began)
        bench.until_over(ids)
    claims = bench.claims()
    gaps = [gap for one in ids for gap in cut_short(claims[one], struck)]
    lost = len(ids) - bench.succeeded(ids)
    yield none("F1", f"{len(struck)} kill -9, {len(ids)} jobs: lost", lost)
    yield none("F1", "committed twice", committed_twice(claims[one] for one in ids))
    spread = f"{statistics.median(gaps):.2f} s, at most {max(gaps):.2f} s" if gaps else "none"
    met = max(gaps, default=0) <= 2
    yield Figure("F1", f"{len(gaps)} attempts cut short: next claim after", spread, "≤ 2 s", met)


def cut_short(claims: list[Any], struck: list[float]) -> Iterator[float]:
    """Seconds from a death to the next claim of a job that it hit."""
    for before, after in pairwise(claims):
        deaths = [at for at in struck if at * 1000 <= (before.ended_at or 0)]
        if before.outcome in ("rescue", "stop") and deaths:
            yield after.started_at / 1000 - max(deaths)


def committed_twice(jobs: Iterable[list[Any]]) -> int:
    return sum([claim.outcome for claim in claims].count("succeed") > 1 for claims in jobs)


def let_end(bench: Bench, ids: list[str], jobs: int) -> None:
    """Wait until so many more have ended; there are always some to do."""
    enough = bench.count(*FINAL) + jobs

    def ended() -> bool:
        counts = bench.home.queue.counts()
        if counts[State.QUEUED] < BACKLOG:
            ids.extend(bench.submit(BACKLOG, **QUICK))
        return sum(counts[state] for state in FINAL) >= enough

    until(ended, every=0.1)


def zombies(bench: Bench, times: int) -> Iterator[Figure]:
    """F2: a worker stands still for longer than two leases; what it ends later must not count."""
    ids = [job_id for _ in range(times) for job_id in outlived(bench)]
    rejected = 0
    for job_id in ids:
        outcomes = [attempt.outcome for attempt in bench.home.queue.attempts(job_id)]
        rejected += outcomes[0] == "rescue" and outcomes.count("succeed") == 1
    yield whole("F2", f"stopped {times} times: late ends rejected", rejected, len(ids))


def outlived(bench: Bench) -> list[str]:
    """Jobs that one worker took and another took over."""
    first, _ = bench.workers
    with alone(bench):
        ids = bench.submit(HELD, **SLOW)
        bench.until_begun(ids)
        bench.freeze(first)
        stands = time.monotonic()
    until(lambda: all(len(bench.home.queue.attempts(one)) > 1 for one in ids))
    time.sleep(max(0.0, stands + 2 * LEASE_S - time.monotonic()))
    first.wake()
    bench.until_over(ids)
    return ids


def supervisor_killed(bench: Bench) -> Iterator[Figure]:
    """F3: no process is left, and another supervisor goes on."""
    with alone(bench) as worker:
        ids = bench.submit(4, **SLOW)
        bench.until_begun(ids)
        family = worker.family()
        worker.process.kill()
        died = time.time() * 1000
        gone = until(lambda: not any(map(lives, family)), 10)
    bench.until_over(ids)
    starts = [a.started_at for one in ids for a in bench.home.queue.attempts(one)]
    gap = (max(starts) - died) / 1000
    bench.workers.remove(worker)
    bench.start("cpu:0", "cpu:1")
    met, most = gone <= 5, LEASE_S + 10
    yield Figure("F3", "supervisor killed: its processes gone after", f"{gone:.2f} s", "≤ 5 s", met)
    met = gap <= most and bench.succeeded(ids) == 4
    yield Figure("F1", "  another goes on after", f"{gap:.1f} s", f"≤ {most:.0f} s", met)


def database_away(bench: Bench, times: int) -> Iterator[Figure]:
    """F4: PostgreSQL crashes; SQLite is locked by somebody for longer than a beat."""
    ids: list[str] = []
    with alone(bench) as worker:
        before = {one.pid for one in worker.devices()}
        gaps = [outage(bench, ids) for _ in range(times)]
        same = worker.process.poll() is None and before == {one.pid for one in worker.devices()}
    lost = len(ids) - bench.succeeded(ids)
    yield none("F4", f"{times} times away, {len(ids)} jobs: lost", lost)
    yield true("F4", "all processes are still there", same)
    longest = max(gaps)
    yield Figure("F4", "work goes on after", f"{longest:.1f} s", "≤ 10 s", longest <= 10)


def outage(bench: Bench, ids: list[str]) -> float:
    """Seconds from the database's return to the next end of a job."""
    mine = bench.submit(6, **SLOW)
    ids += mine
    bench.until_begun(mine[:1])
    if bench.server:
        bench.server.stop(signal.SIGQUIT)
        time.sleep(1)
        bench.server.start()
    else:
        with bench.home.database.begin() as db:
            db.execute(text("UPDATE worker SET version = version"))
            time.sleep(2)
    before = over(bench, mine)
    gap = until(lambda: over(bench, mine) > before)
    bench.until_over(mine)
    return gap


def over(bench: Bench, ids: list[str]) -> int:
    with suppress(Exception):  # connections from before the crash are broken
        return len(bench.home.queue.over(ids))
    return 0


def poison(bench: Bench) -> Iterator[Figure]:
    """F10: one job in twenty ends its process; what else ran there pays, but goes on."""
    good, bad = bench.submit(19, steps=4), bench.submit(1, "poison", max_attempts=3)
    bench.until_over(bad + good)
    (end,) = bench.jobs(bad)
    crashes = len(bench.home.queue.attempts(bad[0]))
    code = end.error.code if end.error else str(end.state)
    met = end.state is State.FAILED and crashes <= 4  # one in company, three alone
    yield Figure("F10", "poison ends as", f"{code}, {crashes} crashes", "≤ 4 (study: 2)", met)
    fine = bench.succeeded(good)
    yield whole("F10", "others that succeed", fine, 19)


def hang(bench: Bench) -> Iterator[Figure]:
    """F11: a job that makes no progress and cannot be stopped; others notice nothing."""
    with alone(bench):
        began = time.monotonic()
        stuck = bench.submit(1, "hang", timeout_ms=2000, max_attempts=1)
        bench.until_begun(stuck)
        others = bench.submit(10, steps=4)
        bench.until_over(stuck)
        took = time.monotonic() - began
        bench.until_over(others)
    (end,) = bench.jobs(stuck)
    code = end.error.code if end.error else str(end.state)
    fine = bench.succeeded(others)
    yield Figure("F11", f"hang ends ({code}) after", f"{took:.1f} s", "≤ 2 + 10 + 1 s", took <= 13)
    yield whole("F11", "others that succeed", fine, 10)


def cancels(bench: Bench) -> Iterator[Figure]:
    """F12: a queued job, one at some step, and one that hears nothing."""
    with alone(bench) as worker:
        bench.freeze(worker)
        queued = canceled_after(bench, bench.submit(1))
        worker.wake()
        step = canceled_after(bench, begun(bench, "speck"))
        deaf = canceled_after(bench, begun(bench, "hang"))
    yield Figure("F12", "cancel: queued", f"{queued:.2f} s", "≤ 1 s", queued <= 1)
    yield Figure("F12", "cancel: at a step of 0.1 s", f"{step:.2f} s", "≤ 1.1 s", step <= 1.1)
    yield Figure("F12", "cancel: hears nothing", f"{deaf:.1f} s", "≤ 10 + 1 s", deaf <= 11)


def begun(bench: Bench, prompt: str) -> list[str]:
    slow = {"steps": 100, "pace": 0.1} if prompt == "speck" else {}
    ids = bench.submit(1, prompt, **slow)
    until(lambda: bench.jobs(ids)[0].state is State.RUNNING)
    time.sleep(1.5)
    return ids


def canceled_after(bench: Bench, ids: list[str]) -> float:
    began = time.monotonic()
    bench.home.queue.cancel(ids[0])
    bench.until_over(ids)
    return time.monotonic() - began


def told_to_stop(bench: Bench) -> Iterator[Figure]:
    """F13: SIGTERM in the middle, once or twice; another worker ends the jobs."""
    code, took, ids = ended_by(bench, 1)
    used = max(job.attempt for job in bench.jobs(ids))
    met = code == 0 and used == 1 and bench.succeeded(ids) == len(ids)
    yield Figure("F13", f"SIGTERM: exit {code}; attempts used", str(used), "exit 0; 1", met)
    yield Figure("F13", "SIGTERM: gone after", f"{took:.1f} s", "≤ 10 s", took <= 10)
    _, took, ids = ended_by(bench, 2)
    yield Figure("F13", "SIGTERM twice: gone after", f"{took:.1f} s", "≤ 1 s", took <= 1)
    yield whole("F13", "  its jobs succeed elsewhere", bench.succeeded(ids), len(ids))


def ended_by(bench: Bench, signals: int) -> tuple[int, float, list[str]]:
    """The exit code of a supervisor that is told to stop, the seconds it took, and its jobs."""
    with alone(bench) as worker:
        ids = bench.submit(4, **SLOW)
        bench.until_begun(ids)
        time.sleep(0.5)
        began = time.monotonic()
        for _ in range(signals):
            worker.process.terminate()
            time.sleep(0.05)
        code = worker.process.wait()
        took = time.monotonic() - began
    bench.until_over(ids)
    bench.stop(worker)
    bench.start("cpu:0", "cpu:1")
    return code, took, ids
