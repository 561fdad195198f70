"""The commands that look after jobs, models, plugins and workers."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest
from cli_cases import Cli, job_of, tiles_cli
from studio_cases import copy_model, open_tiles, until

from omnifex_jobs import State


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    return tiles_cli(tmp_path, monkeypatch, capfd)


# Jobs


def test_jobs_are_listed_shown_and_checked(cli: Cli) -> None:
    assert cli("jobs")[1] == "no jobs\n"
    job = job_of(cli("tile", "a red [bold] tile", "--json")[1])
    listed = cli("jobs", "list", "--text", "BOLD")[1]
    assert job["id"] in listed
    assert "a red [bold] tile" in listed
    assert "1 succeeded" in listed
    shown = cli("jobs", "show", job["id"])[1]
    assert job["files"][0] in shown
    assert "20 steps" in shown
    assert cli("jobs", "verify", job["id"])[:2] == (0, "2 files and 1 component, none damaged\n")
    assert json.loads(cli("jobs", "verify", job["id"], "--json")[1])["ok"] is True


def test_a_damaged_file_is_told_and_ends_with_1(cli: Cli) -> None:
    job = job_of(cli("tile", "red", "--json")[1])
    Path(job["files"][0]).unlink()
    code, said, noted = cli("jobs", "verify", job["id"])
    assert (code, said) == (1, "2 files and 1 component, 1 damaged\n")
    assert "damaged: the output tile.png is missing or was changed" in noted
    assert "tile.png (missing)" in cli("jobs", "show", job["id"])[1]


def test_the_page_of_a_failed_job_has_the_traceback(cli: Cli) -> None:
    job = job_of(cli("tile", "break the family", "--json")[1])
    shown = cli("jobs", "show", job["id"])[1]
    assert "generation_failed: " in shown
    assert "tiles_plugin.py" in shown


def test_a_job_is_canceled_and_run_again(cli: Cli) -> None:
    job_id = cli("tile", "red", "--detach")[1].strip()
    assert cli("jobs", "cancel", job_id)[1] == f"{job_id} is canceled\n"
    code, said, _ = cli("jobs", "retry", job_id)
    assert code == 0
    assert Path(said.strip()).is_file()
    assert cli("jobs", "cancel", job_id)[1] == f"{job_id} had already succeeded\n"


def test_a_replay_says_whether_the_bytes_are_the_same(cli: Cli) -> None:
    job = job_of(cli("tile", "red", "--json")[1])
    code, said, noted = cli("jobs", "replay", job["id"])
    assert (code, said.strip()) == (0, job["files"][0])
    assert noted.endswith(f"note: the same bytes as job {job['id']}\n")


# Models, plugins, health


def test_models_are_added_shown_and_forgotten(cli: Cli, tmp_path: Path) -> None:
    copy_model(tmp_path / "mine")
    assert cli("models", "add", tmp_path / "mine")[1] == "mine: TilesPipeline, backbone\n"
    listed = cli("models")[1]
    assert "built in" in listed
    assert "TilesPipeline" in listed
    (mine, _) = json.loads(cli("models", "list", "--json")[1])["models"]
    shown = cli("models", "show", "mine")[1]
    assert mine["components"]["backbone"]["id"] in shown
    assert json.loads(cli("models", "show", "mine", "--json")[1]) == mine
    assert cli("models", "alias", "best", "mine")[1] == "best is mine from now on\n"
    assert "also called best" in cli("models", "show", "best")[1]
    assert cli("models", "verify", "best")[:2] == (0, "1 component, none damaged\n")
    assert cli("models", "set", "mine", "compile=whole", "graphs=on")[1] == (
        "mine: compile=whole graphs=True\n"
    )
    assert "compile=whole  graphs=True" in cli("models", "show", "mine")[1]
    assert cli("models", "set", "mine", "compile=", "graphs=off")[1] == "mine: no settings\n"
    assert "compile is 'fast', but must be" in cli("models", "set", "mine", "compile=fast")[2]
    assert cli("models", "remove", "mine")[1].startswith("mine is forgotten; 1 of its components")
    assert cli("models", "remove", "tiles")[0] == 2


def test_models_worth_knowing_are_listed_without_a_hub(cli: Cli) -> None:
    assert "black-forest-labs/FLUX.1-schnell" in cli("models", "search", "flux")[1]
    found = json.loads(cli("models", "search", "AUDIO", "--json")[1])["models"]
    assert {model["modality"] for model in found} == {"audio"}
    assert not any(model["checked"] for model in found)


def test_a_copy_lies_in_the_home_and_goes_with_the_model(
    cli: Cli, tmp_path: Path, omnifex_home: Path
) -> None:
    copy_model(tmp_path / "mine")
    assert cli("models", "add", tmp_path / "mine", "--copy", "--name", "kept")[0] == 0
    (folder,) = (omnifex_home / "models").iterdir()
    assert cli("models", "remove", "kept")[0] == 0
    assert (folder.exists(), (tmp_path / "mine").exists()) == (False, True)


def test_plugins_are_listed_with_those_set_aside(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("plugins")[1] == "tile 1.0  modalities tile; families tiles; models tiles\n"
    info = tmp_path / "installed" / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[omnifex]\nbroken = no_such_module\n")
    monkeypatch.setenv("OMNIFEX_PLUGINS", "tile,broken")
    assert "set aside: broken: its import failed with ModuleNotFoundError" in cli("plugins")[2]
    found = json.loads(cli("plugins", "--json")[1])
    assert found["problems"][0]["plugin"] == "broken"
    code, said, _ = cli("doctor")
    assert code == 1
    assert "X   plugin    broken was set aside: its import failed" in said


def test_a_healthy_installation_is_said_to_be_one(cli: Cli, omnifex_home: Path) -> None:
    code, said, _ = cli("doctor")
    assert code == 0
    for subject in ("python", "torch", "devices", "disk", str(omnifex_home), "tiles"):
        assert subject in said
    assert json.loads(cli("doctor", "--json")[1])["ok"] is True


def test_a_home_that_cannot_be_opened_is_a_finding(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    code, said, _ = cli("doctor", "--home", tmp_path / "file")
    assert code == 1
    assert "X   home" in said


def test_without_plugins_there_is_nothing_to_demonstrate(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNIFEX_PLUGINS", "")
    code, _, noted = cli("demo", "--out", tmp_path)
    assert code == 2
    assert "no installed plugin makes anything" in noted


def test_help_and_version_are_at_hand(cli: Cli) -> None:
    code, said, _ = cli("--help")
    assert code == 0
    for command in ("tile", "demo", "jobs", "models", "plugins", "worker", "doctor"):
        assert command in said
    assert "Pixels on a side." in cli("tile", "--help")[1]
    assert cli("--version")[1].startswith("omnifex 0.")
    assert cli("jobs", "--help")[0] == 0


def test_a_live_worker_serves_the_command(cli: Cli, omnifex_home: Path) -> None:
    with open_tiles() as studio:
        job = job_of(cli("tile", "red", "--json")[1])
        (worker,) = studio.job(job["id"]).home.queue.workers()
        assert studio.job(job["id"]).record.worker == worker.id


def test_a_worker_serves_until_it_is_told_to_stop(cli: Cli) -> None:
    job_id = cli("tile", "red", "--detach")[1].strip()
    with open_tiles(workers=0) as studio:
        job = studio.job(job_id)

        def stop() -> None:
            until(lambda: job.done)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=stop).start()
        code, _, noted = cli("worker", "--device", "cpu", "--at-once", 1)
        assert code == 0
        assert job.status is State.SUCCEEDED
        assert not studio.served
    assert noted.splitlines() == [
        f"serving {studio.home} on cpu; Ctrl-C stops",
        "stopping; what runs goes back to the queue",
    ]
