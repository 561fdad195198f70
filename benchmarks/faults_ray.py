"""Actors of a real Ray cluster on this machine, with GPUs in name only, killed while they work.

    python -m benchmarks.faults_ray                         # 500 jobs, 4 kills, on PostgreSQL
    python -m benchmarks.faults_ray --jobs 40 --kills 2 --database sqlite

Targets: no job lost or committed twice, an actor killed is there again within 3 s.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faults_bench import LEASE_S, ROOT, Bench, until
from benchmarks.faults_plugin import open_speck_home
from benchmarks.postgres_server import PostgresServer
from omnifex.worker.cluster import RayCluster
from omnifex_jobs import State

GPUS = 2


@contextmanager
def local_ray() -> Iterator[Any]:
    """A cluster of one node; nothing of it is left, not even a token in the user's home."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "180")  # on a busy machine
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    import ray

    ray.init(num_cpus=GPUS, num_gpus=GPUS, include_dashboard=False, log_to_driver=False)
    try:
        yield ray
    finally:
        ray.shutdown()


def kill_actors(bench: Bench, jobs: int, kills: int) -> tuple[list[tuple[float, float]], list[str]]:
    """Seconds until each killed actor was there again; the jobs, all of them over."""
    with local_ray() as ray:
        opener = partial(open_speck_home, bench.address, bench.artifacts and str(bench.artifacts))
        cluster = RayCluster(bench.home, opener, lease_s=LEASE_S, at_once=4)
        cluster.start()
        pids = ray.get([actor.pid.remote() for actor in cluster.actors])
        assert len(set(pids)) == GPUS
        ids = bench.submit(jobs, steps=4)
        gaps = []
        for number in range(kills):
            share = jobs * (number + 1) // (kills + 1)
            until(lambda share=share: len(bench.home.queue.over(ids)) >= share)  # type: ignore[misc]
            gaps.append(replaced(ray, cluster.actors[number % GPUS]))
        bench.until_over(ids)
        cluster.stop()
    return gaps, ids


def replaced(ray: Any, actor: Any) -> tuple[float, float]:
    """Kill the actor's process; seconds until another one answers, and until it takes jobs."""
    pid = ray.get(actor.pid.remote())
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    until(lambda: ray.get(actor.pid.remote()) != pid)  # Ray sends the question again by itself
    answers = time.monotonic() - began
    until(lambda: ray.get(actor.ready.remote()))
    return answers, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = opened(options.database, folder, stack)
        gaps, ids = kill_actors(bench, options.jobs, options.kills)
        raise SystemExit(0 if report(bench, gaps, ids) else 1)


def opened(kind: str, folder: Path, stack: ExitStack) -> Bench:
    chance = random.Random(1)
    if kind == "sqlite":
        return Bench(kind, str(folder / "home"), None, chance)
    server = PostgresServer()
    stack.callback(server.close)
    return Bench(kind, server.url(), folder / "files", chance, server)


def report(bench: Bench, gaps: list[tuple[float, float]], ids: list[str]) -> bool:
    lost = sum(job.state is not State.SUCCEEDED for job in bench.jobs(ids))
    again = sum(len(bench.home.queue.attempts(one)) > 1 for one in ids)
    wrong = bench.violations()
    print(f"{len(ids)} jobs over {GPUS} logical GPUs, {len(gaps)} actors killed")
    print(f"  lost                   {lost} (target 0)")
    print(f"  violations             {len(wrong)} (target 0) {wrong[:5] or ''}")
    print(f"  run again              {again}")
    back, ready = (", ".join(f"{gap[n]:.2f}" for gap in gaps) for n in (0, 1))
    print(f"  actor back after       {back} s (target ≤ 3 s)")
    print(f"  and takes jobs after   {ready} s, most of it the import of torch")
    return not lost and not wrong and max(gaps)[0] <= 3


if __name__ == "__main__":
    main()
