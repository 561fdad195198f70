"""`omnifex top`: workers seen from another process."""

import io
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cli_cases import Cli, tiles_cli
from rich.console import Console
from studio_cases import open_tiles, process, until

from omnifex.cli.top import frame
from omnifex.overview import Overview
from omnifex.presence import ABSENT_S
from omnifex.studio import Studio


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    return tiles_cli(tmp_path, monkeypatch, capfd)


@contextmanager
def workers(home: Path, count: int) -> Iterator[list[int]]:
    """Processes that serve the home; their ids."""
    command = ("-m", "omnifex", "worker", "--home", str(home), "--device", "cpu")
    installed = home.parent / "installed"
    path = (installed, Path(__file__).parent)
    with ExitStack() as stack:
        yield [stack.enter_context(process(*command, path=path)).pid for _ in range(count)]


def shown(seen: Overview) -> str:
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(frame(seen))
    return console.export_text()


def test_a_home_without_a_worker_says_so(cli: Cli, tmp_path: Path) -> None:
    code, said, _ = cli("top", "--once", "--home", tmp_path)
    assert code == 0
    assert "No worker serves this home; start one with" in " ".join(said.split())
    assert json.loads(cli("top", "--json", "--home", tmp_path)[1])["workers"] == []


def test_a_running_job_is_seen_with_its_worker_and_components(tmp_path: Path) -> None:
    with open_tiles(tmp_path) as studio:
        studio.submit("tile", prompt="first").result(120)
        job = studio.submit("tile", prompt="a slow one", steps=600, pace=0.01)
        until(lambda: job.progress.step > 5)
        until(lambda: engine(studio)["jobs"] == [job.id])
        seen = studio.overview()
        text = shown(seen)
        job.cancel()
    (worker,) = seen.workers
    assert seen.jobs_of(worker)[0].id == job.id
    assert f"process {os.getpid()}" in text
    assert "a slow one" in text
    assert "pacing" in text
    assert "backbone" in text
    assert "calls a batch" in text


def engine(studio: Studio) -> dict[str, object]:
    """What the only engine of the only worker last said."""
    (worker,) = studio.overview().workers
    engines = (worker.status or {}).get("engines") or [{"jobs": []}]
    return dict(engines[0])


def test_an_engine_tells_what_it_did_in_the_last_seconds(tmp_path: Path) -> None:
    with open_tiles(tmp_path) as studio:
        studio.submit("tile", prompt="red", steps=30).result(120)
        until(lambda: engine(studio).get("calls_per_second", 0) != 0)
        said = engine(studio)
    assert said["device"] == "cpu"
    assert said["batch"] == 1
    assert said["queue"] == 0
    assert int(str(said["memory_budget"])) > 0
    assert [part["role"] for part in said["components"]] == ["backbone"]  # type: ignore[attr-defined]


def test_several_workers_are_seen_and_a_killed_one_is_marked(cli: Cli, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_tiles(home, workers=0) as studio, workers(home, 2) as pids:
        until(lambda: len(studio.overview().workers) == 2)
        assert {worker.pid for worker in studio.overview().workers} == set(pids)
    # Both were killed, and nobody is left to bury them.
    seen = json.loads(cli("top", "--json", "--home", home)[1])["workers"]
    assert [worker["alive"] for worker in seen] == [False, False]
    said = cli("top", "--once", "--home", home)[1]
    assert said.count("dead, last heard of") == 2


def test_a_worker_elsewhere_is_dead_after_a_silence(tmp_path: Path) -> None:
    with open_tiles(tmp_path, workers=0) as studio:
        queue = studio._home.queue
        queue.register(devices=["cpu"])
        with studio._home.database.begin() as db:
            late = f"seen_at = seen_at - {round(ABSENT_S * 1000)}"
            db.exec_driver_sql(f"UPDATE worker SET host = 'elsewhere', {late}")
        assert "dead" in shown(studio.overview())
