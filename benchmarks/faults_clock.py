"""Workers whose clocks are wrong (F6)."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.faults_bench import Bench, Figure, none, whole

CLOCKS = ("+3600", "-3600", "jumping")
LONG = {"steps": 30, "pace": 0.1}  # by turns longer than a lease
TIMEOUT_MS = 60_000


def wrong_clocks(bench: Bench) -> Iterator[Figure]:
    """F6: an hour ahead, an hour behind, and to and fro; none takes a job from anybody."""
    ids = bench.submit(6, **LONG, timeout_ms=TIMEOUT_MS)
    bench.until_begun(ids)
    wrong = [bench.start("cpu:0", clock=clock) for clock in CLOCKS]
    for worker in wrong:
        worker.until_complete()
    ids += bench.submit(8, **LONG, timeout_ms=TIMEOUT_MS)
    bench.until_over(ids)
    for worker in wrong:
        bench.stop(worker)
    tried = [attempt for one in ids for attempt in bench.home.queue.attempts(one)]
    early = sum(attempt.outcome == "rescue" for attempt in tried)

    said = f"clocks {', '.join(CLOCKS)}: jobs taken away"
    yield none("F6", said, early)
    yield whole("F6", "  jobs that succeed", bench.succeeded(ids), len(ids))
