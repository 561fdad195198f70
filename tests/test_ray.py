"""Workers on Ray: a real cluster on this machine, with GPUs in name only."""

from __future__ import annotations

import multiprocessing
import os
import random
import tempfile
import threading
from pathlib import Path

import pytest

from benchmarks.faults_bench import Bench
from benchmarks.faults_ray import kill_actors
from omnifex.worker.cluster import FolderOnManyNodes, opener
from omnifex.worker.standby import DeviceLock
from omnifex_jobs import State


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_killed_actors_come_back_and_lose_no_job(tmp_path: Path) -> None:
    bench = Bench("sqlite", str(tmp_path / "home"), None, random.Random(1))
    gaps, ids = kill_actors(bench, jobs=200, kills=2)
    assert len(gaps) == 2
    assert {job.state for job in bench.jobs(ids)} == {State.SUCCEEDED}
    bench.close()


def hold(slot: str, told: threading.Event) -> None:
    lock = DeviceLock(slot)
    assert lock.wait(threading.Event())
    lock.sign(["one", "two"])
    told.set()
    threading.Event().wait()


def test_who_waits_for_a_device_has_it_when_its_holder_is_killed_and_knows_who_that_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spawn, slot, ours = multiprocessing.get_context("fork"), "slot", threading.Event()
    told = spawn.Event()
    holder = spawn.Process(target=hold, args=(slot, told), daemon=True)
    holder.start()
    assert told.wait(60)
    lock, got = DeviceLock(slot), []
    waiting = threading.Thread(target=lambda: got.append(lock.wait(ours)))
    waiting.start()
    waiting.join(0.2)
    assert not got
    holder.kill()
    waiting.join(60)
    assert (got, lock.before()) == ([True], ["one", "two"])
    lock.give_back()
    assert DeviceLock(slot).before() == []


def test_who_gives_up_waiting_for_a_device_has_it_not(tmp_path: Path) -> None:
    given_up = threading.Event()
    given_up.set()
    assert not DeviceLock(f"of-{os.getpid()}").wait(given_up)


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
