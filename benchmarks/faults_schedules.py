"""A schedule of every second, while whoever serves it is killed again and again (F14)."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.faults_bench import Bench, Figure, none, until
from omnifex.timetable import put

NAME, EVERY_SECOND = "ticks", "* * * * * *"
KILL_EVERY_S = 3.0


def schedule_kept(bench: Bench, seconds: float) -> Iterator[Figure]:
    """F14: any worker makes the job of a time; none is left out, none made twice."""
    schedules = bench.home.queue.schedules
    put(bench.home, NAME, EVERY_SECOND, "UTC", "speck", None, {"prompt": "tick"}, "")
    ends = time.monotonic() + seconds
    killed = 0
    while time.monotonic() < ends:
        time.sleep(KILL_EVERY_S)
        bench.stop(bench.workers[0])
        bench.start("cpu:0", "cpu:1")
        killed += 1
    last = int(time.time()) * 1000
    until(lambda: schedules.all()[0].next_at > last)
    schedules.enable(NAME, False)
    fires = schedules.fires(NAME)
    times = sorted(fires)
    missed = len(range(times[0], times[-1] + 1, 1000)) - len(times)
    jobs = [job for job in fires.values() if job]
    made = bench.value(f"SELECT count(*) FROM job WHERE idempotency_key LIKE 'schedule:{NAME}:%'")
    doubled = max(made, len(jobs)) - len(set(jobs))
    bench.acknowledged += jobs
    bench.until_over(jobs)
    said = f"{len(times)} seconds of a schedule, {killed} workers killed: missed"
    yield none("F14", said, missed + len(times) - len(jobs))
    yield none("F14", "made twice", doubled)
