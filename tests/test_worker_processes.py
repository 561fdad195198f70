"""Workers as processes: many submit, one dies, another goes on, and nothing is done twice."""

import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from studio_cases import TESTS, install_tiles, open_tiles, process, until

from omnifex_jobs import State

SUBMIT = """
import sys
from studio_cases import open_tiles
with open_tiles(workers=0) as studio:
    for number in range(10):
        studio.submit("tile", prompt=f"tile {number} of {sys.argv[1]}", steps=2)
"""
LONG_LEASE = """
import signal
from omnifex.home import open_home
from omnifex.worker.worker import Worker
from studio_cases import tiles
Worker(open_home(None, tiles()), devices=["cpu"], lease_s=3600).start()
signal.pause()
"""
WORKER = ("-m", "omnifex", "worker", "--device", "cpu")


def test_jobs_of_four_processes_are_each_done_once_by_one_worker(
    omnifex_home: Path, tmp_path: Path
) -> None:
    path = [TESTS, install_tiles(tmp_path / "installed")]
    with ExitStack() as stack, open_tiles(workers=0) as studio:
        submitters = [stack.enter_context(process("-c", SUBMIT, str(n))) for n in range(4)]
        worker = stack.enter_context(process(*WORKER, path=path))
        assert [submitter.communicate()[1] for submitter in submitters] == [""] * 4
        until(lambda: studio.counts()[State.SUCCEEDED] == 40)
        worker.send_signal(signal.SIGTERM)
        _, said = worker.communicate(timeout=120)
        ended = Counter(e.job_id for e in studio.events() if e.kind == "succeeded")
        started = Counter(e.job_id for e in studio.events() if e.kind == "running")
        assert len(ended) == 40
        assert set(ended.values()) == set(started.values()) == {1}
        assert all(job.result() for job in studio.jobs(limit=40))
        assert not studio.served
    assert worker.returncode == 0
    assert "serving" in said
    assert "Traceback" not in said


def test_the_jobs_of_a_killed_worker_are_finished_by_another_long_before_its_lease_ends(
    omnifex_home: Path,
) -> None:
    with open_tiles(workers=0) as studio:
        jobs = [studio.submit("tile", prompt="red", steps=30, pace=0.05) for _ in range(2)]
        with process("-c", LONG_LEASE) as first:
            until(lambda: all(job.status is State.RUNNING for job in jobs))
            first.kill()
            first.communicate()
        jobs[1].cancel()
        studio.serve(["cpu"])
        assert jobs[0].wait(120).state is State.SUCCEEDED
        assert jobs[1].wait(120).state is State.CANCELED
        attempts = jobs[0].home.queue.attempts(jobs[0].id)
        assert [attempt.outcome for attempt in attempts] == ["rescue", "succeed"]
