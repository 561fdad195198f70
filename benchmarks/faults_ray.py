"""Actors of a real Ray cluster on this machine, with GPUs in name only, killed while they work.

    python -m benchmarks.faults_ray                         # 500 jobs, 4 kills, on PostgreSQL
    python -m benchmarks.faults_ray --jobs 40 --kills 2 --database sqlite

Targets: no job lost or committed twice; within 3 s of an actor's death its twin takes jobs.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from benchmarks.faults_bench import LEASE_S, ROOT, Bench, opened, until
from benchmarks.faults_plugin import open_speck_home
from omnifex.worker.actor import STANDING_BY, WORKING
from omnifex.worker.cluster import RayCluster, Slot

GPUS = 2


@contextmanager
def local_ray() -> Iterator[Any]:
    """A cluster of one node; nothing of it is left, not even a token in the user's home."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "180")  # on a busy machine
    os.environ.setdefault("RAY_worker_niceness", "0")  # else any other work here comes first
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    import ray

    ray.init(num_cpus=GPUS, num_gpus=GPUS, include_dashboard=False, log_to_driver=False)
    try:
        yield ray
    finally:
        ray.shutdown()


class Gap(NamedTuple):
    """Seconds from the death of an actor until its device"""

    takes_s: float  # is given a job again, by the database's list of claims
    spare_s: float  # has two actors again that could be


def kill_actors(bench: Bench, jobs: int, kills: int) -> tuple[list[Gap], list[str]]:
    """What each death of an actor cost; the jobs, all of them over."""
    with local_ray() as ray:
        opener = partial(open_speck_home, bench.address, bench.artifacts and str(bench.artifacts))
        cluster = RayCluster(bench.home, opener, lease_s=LEASE_S, at_once=4)
        cluster.start()
        assert len(cluster.slots) == GPUS
        for slot in cluster.slots:
            until(lambda slot=slot: states(ray, slot) == [STANDING_BY, WORKING])
        ids = bench.submit(jobs, steps=4, pace=0.04)
        gaps = []
        for number in range(kills):
            share = jobs * (number + 1) // (kills + 1)
            until(lambda share=share: len(bench.home.queue.over(ids)) >= share)
            gaps.append(replaced(ray, cluster.slots[number % GPUS], bench))
        bench.until_over(ids)
        cluster.stop()
    return gaps, ids


def states(ray: Any, slot: Slot) -> list[str]:
    return sorted(ray.get([actor.state.remote() for actor in slot.actors]))


def replaced(ray: Any, slot: Slot, bench: Bench) -> Gap:
    """Kill the actor that works on this device."""
    working = next(one for one in slot.actors if ray.get(one.state.remote()) == WORKING)
    known = ", ".join(f"'{worker.id}'" for worker in bench.home.queue.workers())
    pid = ray.get(working.pid.remote())
    killed_at = time.time()
    os.kill(pid, signal.SIGKILL)
    since = f"started_at >= {killed_at * 1000:.0f} AND worker NOT IN ({known})"
    claims = f"SELECT min(started_at) FROM job_attempt WHERE {since}"
    until(lambda: bench.value(claims))
    takes_s = bench.value(claims) / 1000 - killed_at
    until(lambda: states(ray, slot) == [STANDING_BY, WORKING])
    return Gap(takes_s, time.time() - killed_at)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    options = parser.parse_args()
    with opened(options.database, random.Random(1)) as bench:
        gaps, ids = kill_actors(bench, options.jobs, options.kills)
        raise SystemExit(0 if report(bench, gaps, ids) else 1)


def report(bench: Bench, gaps: list[Gap], ids: list[str]) -> bool:
    lost, claims = len(ids) - bench.succeeded(ids), bench.claims()
    again = sum(len(claims[one]) > 1 for one in ids)
    wrong = bench.violations()
    print(f"{len(ids)} jobs over {GPUS} logical GPUs, {len(gaps)} actors killed")
    print(f"  lost                   {lost} (target 0)")
    print(f"  violations             {len(wrong)} (target 0) {wrong[:5] or ''}")
    print(f"  run again              {again}")
    takes = ", ".join(f"{gap.takes_s:.2f}" for gap in gaps)
    spare = ", ".join(f"{gap.spare_s:.2f}" for gap in gaps)
    print(f"  device has jobs after  {takes} s (target ≤ 3 s)")
    print(f"  and two actors after   {spare} s, most of it the import of torch")
    return not lost and not wrong and max(gap.takes_s for gap in gaps) <= 3


if __name__ == "__main__":
    main()
