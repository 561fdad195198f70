"""The fault suite in short, and its checker, which must see what is wrong."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks import faults_scenes
from benchmarks.faults_bench import ROOT, Bench
from omnifex_jobs import State


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench("sqlite", str(tmp_path / "home"), None, random.Random(7))
    yield bench
    bench.close()


def test_kills_and_poison_lose_no_job_and_commit_none_twice(bench: Bench) -> None:
    for _ in range(2):
        bench.start("cpu:0", "cpu:1")
    figures = [*faults_scenes.kills(bench, 3, jobs=4), *faults_scenes.poison(bench)]
    shown = {figure.what: figure.shown for figure in figures}
    (lost,) = [said for what, said in shown.items() if what.endswith("lost")]
    assert (lost, shown["committed twice"]) == ("0", "0")
    assert shown["poison ends as"].startswith("poison")
    assert shown["others that succeed"] == "19 of 19"
    assert bench.violations() == []
    a_file(bench).write_bytes(b"other bytes")
    assert [v for v in bench.violations() if v.endswith("has other bytes")]
    a_file(bench).unlink()
    assert [v for v in bench.violations() if v.endswith("is missing")]


@pytest.mark.slow
def test_a_scene_on_both_databases_prints_its_seed_its_figures_and_what_the_checker_says() -> None:
    scene = ["--seed", "7", "--only", "submits", "--keys", "20"]
    command = [sys.executable, "-m", "benchmarks.faults", *scene]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("seed 7\n")
    assert done.stdout.count("checker: 20 jobs, 0 violations (target 0)") == 2


def a_file(bench: Bench) -> Path:
    """The file of some job that succeeded."""
    job = next(job for job in bench.jobs(bench.acknowledged) if job.state is State.SUCCEEDED)
    (sha256,) = [file.sha256 for file in job.artifacts]
    (path,) = (bench.home.folder / "artifacts" / sha256[:2]).glob(f"{sha256}*")
    return path


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("", "is queued"),
        ("DELETE FROM job", "is gone"),
        ("UPDATE job SET state = 'succeeded', completed_at = 1", "ended 0 times"),
        (
            "INSERT INTO job_attempt (token, job_id, attempt, worker, started_at) "
            "SELECT n, id, 1, 'w', 1 FROM job, (SELECT '1' n UNION SELECT '2')",
            "was claimed twice at 1",
        ),
    ],
)
def test_the_checker_sees(bench: Bench, damage: str, said: str) -> None:
    bench.submit(1)
    with bench.home.database.begin() as db:
        db.execute(text("PRAGMA defer_foreign_keys = ON"))
        if damage.startswith("DELETE"):
            db.execute(text("DELETE FROM event"))
        if damage:
            db.execute(text(damage))
    assert [violation for violation in bench.violations() if violation.endswith(said)]
