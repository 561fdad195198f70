"""The commands that make something: what they print, and how they end."""

from __future__ import annotations

import _thread
import json
import threading
from pathlib import Path

import pytest
from cli_cases import Cli, job_of, tiles_cli
from PIL import Image
from studio_cases import open_tiles, until

from omnifex_jobs import State


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    return tiles_cli(tmp_path, monkeypatch, capfd)


# Making


def test_a_command_makes_a_file_and_says_where_it_is(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "new" / "red.png"
    code, said, noted = cli("tile", "a red blorp", "--size", 8, "--steps", 3, "--out", out)
    assert code == 0
    assert said.strip() == str(out)
    assert noted == "note: the word 'blorp' is not known.\nnote: 3 steps\n"
    with Image.open(out) as picture:
        assert picture.size == (8, 8)


def test_without_a_place_the_file_stays_in_the_store(cli: Cli, omnifex_home: Path) -> None:
    code, said, _ = cli("tile", "red")
    assert code == 0
    assert Path(said.strip()).is_relative_to(omnifex_home)


def test_a_folder_takes_the_file_under_its_name(cli: Cli, tmp_path: Path) -> None:
    assert cli("tile", "red", "-o", tmp_path)[1].strip() == str(tmp_path / "tile.png")


def test_json_is_one_object_with_all_of_the_job(cli: Cli) -> None:
    code, said, noted = cli("tile", "red", "--seed", 7, "--mirrored", "--json")
    job = job_of(said)
    assert (code, noted) == (0, "")
    assert job["status"] == "succeeded"
    assert job["request"]["seed"] == 7
    assert job["request"]["mirrored"] is True
    assert [file["role"] for file in job["artifacts"]] == ["output", "preview"]
    assert job["files"] == [job["artifacts"][0]["path"]]


def test_the_name_of_the_file_decides_its_format(cli: Cli, tmp_path: Path) -> None:
    assert cli("tile", "red", "-o", tmp_path / "red.webp")[0] == 0
    with Image.open(tmp_path / "red.webp") as picture:
        assert picture.format == "WEBP"
    code, _, noted = cli("tile", "red", "--format", "png", "-o", tmp_path / "red.webp")
    assert code == 2
    assert noted.endswith("red.webp would hold png; name it .png.\n")


def test_a_file_and_a_job_may_be_inputs(cli: Cli, tmp_path: Path) -> None:
    cli("tile", "red", "-o", tmp_path / "red.png")
    job = job_of(cli("tile", "blue", "--image", tmp_path / "red.png", "--json")[1])
    assert job["artifacts"][2]["name"] == "red.png"
    child = job_of(cli("tile", "blue", "--image", f"job:{job['id']}", "--json")[1])
    assert child["depends_on"] == [job["id"]]


def test_a_failed_job_ends_with_1_and_its_reason(cli: Cli) -> None:
    code, said, noted = cli("tile", "break the family")
    assert (code, said) == (1, "")
    assert noted.startswith("omnifex: job ")
    assert noted.endswith("failed with model 'tiles': RuntimeError: the family is broken\n")
    assert noted.count("\n") == 1


def test_a_failed_job_in_json_has_its_error(cli: Cli) -> None:
    code, said, _ = cli("tile", "break the family", "--json")
    assert code == 1
    assert job_of(said)["error"]["code"] == "generation_failed"


def test_a_detached_job_is_queued_and_not_awaited(cli: Cli) -> None:
    code, said, noted = cli("tile", "a blorp", "--detach", "--priority", 3)
    assert code == 0
    assert "start `omnifex worker --home" in noted
    job = job_of(cli("jobs", "show", said.strip(), "--json")[1])
    assert (job["status"], job["priority"]) == ("queued", 3)
    assert job_of(cli("tile", "red", "--detach", "--json")[1])["status"] == "queued"


def test_how_a_job_is_queued_is_said_by_options(cli: Cli) -> None:
    first = job_of(cli("tile", "red", "--detach", "--json", "--unique", "--batch", "b")[1])
    options = ["--queue", "night", "--batch", "b", "--owner", "anna", "--tag", "a", "--tag", "b"]
    times = ["--timeout", 60, "--stall-timeout", 5, "--expires", 900, "--deadline", 600]
    waits = ["--after", first["id"], "--on-failure", "run", "--idempotency-key", "k"]
    command = ["tile", "blue", "--detach", "--json", *options, *times, *waits]
    made = job_of(cli(*command)[1])
    with open_tiles(workers=0) as studio:
        record = studio.job(made["id"]).record
        assert studio.batches.jobs("b") == [first["id"], made["id"]]
    assert (record.queue, record.owner, record.tags) == ("night", "anna", ("a", "b"))
    assert (record.timeout_ms, record.stall_ms) == (60_000, 5_000)
    assert (record.parents, record.state) == ((first["id"],), State.BLOCKED)
    assert record.deadline_at is not None
    assert record.expires_at is not None
    assert job_of(cli(*command)[1])["id"] == made["id"]  # by its idempotency key
    assert job_of(cli("tile", "red", "--detach", "--json", "--unique")[1])["id"] == first["id"]
    keyed = [
        job_of(cli("tile", w, "--detach", "--json", "--unique-key", "u")[1]) for w in ("a", "b")
    ]
    assert keyed[0]["id"] == keyed[1]["id"]
    later = job_of(cli("tile", "red", "--detach", "--json", "--delay", 60)[1])
    assert later["status"] == "scheduled"


def test_ctrl_c_cancels_the_job(cli: Cli) -> None:
    with open_tiles(workers=0) as studio:

        def interrupt() -> None:
            until(lambda: studio.counts()[State.RUNNING])
            _thread.interrupt_main()

        threading.Thread(target=interrupt).start()
        code, _, noted = cli("tile", "red", "--steps", 900, "--pace", 0.1)
        (job,) = studio.jobs()
        assert code == 130
        assert noted == f"omnifex: canceled job {job.id}\n"
        assert job.status is State.CANCELED


def test_the_demo_makes_an_example_of_each_modality(cli: Cli, tmp_path: Path) -> None:
    code, said, _ = cli("demo", "--out", tmp_path / "demo")
    assert code == 0
    assert said.strip() == str(tmp_path / "demo" / "tile.png")
    assert job_of(cli("demo", "-o", tmp_path, "--json")[1])["jobs"][0]["seed"] == 7


# What is not understood


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tiel", "red"], "No such command 'tiel'. Did you mean 'tile'?"),
        (["tile"], "Missing argument 'prompt'."),
        (["tile", "red", "--stepz", "3"], "No such option: --stepz"),
        (["tile", "red", "--steps", "many"], "Invalid value for '--steps': "),
        (["tile", "red", "--steps", "-3"], "steps is -3, but must be a whole number from 1"),
        (["tile", "red", "--size", "10000000000"], "size is 10000000000, but must be"),
        (["tile", "red", "--model", "nope"], "no model 'nope'; registered: tiles."),
        (["tile", "red", "--sampler", "oiler"], "did you mean 'euler'"),
        (["tile", "red", "--image", "gone.png"], "image 'gone.png' does not exist"),
        (["tile", "red", "--out", "red.tiff"], "red.tiff; it can be .png, .webp."),
        (["tile", "red", "--out", "/dev/null/red.png"], "no file can be put at /dev/null/red.png"),
        (["tile", "red", "--home", "http://gpu"], "is an address"),
        (["tile", "red", "--timeout", "-1"], "timeout is -1.0, but must be in the future"),
        (["tile", "red", "--queue", "a/b"], "queue is 'a/b', but must be text of 1 to 100"),
        (["tile", "red", "--after", "nope"], "No job 'nope' in this database"),
        (["tile", "red", "--on-failure", "cry"], "on_failure is 'cry', but must be fail, "),
        (["jobs", "show", "nope"], "No job 'nope' in this database"),
        (["jobs", "list", "--status", "lost"], "No job state 'lost'"),
        (["models", "show", "nope"], "no model 'nope'"),
        (["models", "add", "nowhere"], "no folder"),
        (["worker", "--device", "cuda:99"], "no device 'cuda:99'"),
        (["worker", "--memory", "lots"], "memory is 'lots', but must be a size above zero"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(
    cli: Cli, arguments: list[str], complaint: str
) -> None:
    code, said, noted = cli(*arguments)
    assert (code, said) == (2, "")
    assert complaint in noted
    assert noted.startswith("omnifex: ")
    assert noted.count("\n") == 1


def test_a_refusal_in_json_has_its_code(cli: Cli) -> None:
    code, said, noted = cli("tile", "red", "--steps", 0, "--json")
    assert code == 2
    error = json.loads(said)["error"]
    assert error["code"] == "invalid_request"
    assert error["message"] in noted


def test_a_fault_of_ours_is_not_dressed_up(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnifex.cli.app.app", lambda plugins: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli("tile", "red")
