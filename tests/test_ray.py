"""Workers on Ray: a real cluster on this machine, with GPUs in name only."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.faults_bench import Bench
from benchmarks.faults_ray import kill_actors
from omnifex.worker.cluster import FolderOnManyNodes, opener
from omnifex_jobs import State


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_killed_actors_come_back_and_lose_no_job(tmp_path: Path) -> None:
    bench = Bench("sqlite", str(tmp_path / "home"), None, random.Random(1))
    gaps, ids = kill_actors(bench, jobs=40, kills=2)
    assert len(gaps) == 2
    assert {job.state for job in bench.jobs(ids)} == {State.SUCCEEDED}
    bench.close()


def test_a_folder_is_refused_on_many_nodes_with_the_way_out() -> None:
    error = FolderOnManyNodes("/home", 3)
    assert "has 3 nodes; give --home postgresql+psycopg://" in str(error)


def test_other_nodes_open_the_home_by_its_full_name(
    omnifex_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = opener(None)()
    assert home.folder == omnifex_home
    home.close()
    monkeypatch.setenv("OMNIFEX_ARTIFACTS", str(tmp_path))
    server = opener("postgresql+psycopg://here/jobs")
    assert server.args == ("postgresql+psycopg://here/jobs",)  # type: ignore[attr-defined]
    assert server.keywords == {"artifacts": str(tmp_path)}  # type: ignore[attr-defined]
