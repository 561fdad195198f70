"""The benchmarks of kills and cancels, with few of them."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cancel, killing, resume
from benchmarks.cancel_cases import PausePlugin
from omnifex.home import Home, open_home
from omnifex.plugins import PluginHost
from omnifex_jobs.files.journal import Journals

ROOT = Path(__file__).parents[1]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path, PluginHost([PausePlugin(tmp_path)], entry_points=False))


def test_canceled_jobs_make_at_most_one_call_more(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with cancel.serving(home) as watched:
        cancels = cancel.cancel_jobs(watched, 15, random.Random(1))
        assert cancel.report(watched, cancels)
    home.close()
    assert len(cancels) == 15
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(cancel.STATES)


def test_records_of_a_journal_are_counted_without_its_first_line(home: Home) -> None:
    assert killing.records(home, "JOB") == 0
    journal = Journals(home.journals.root).open("JOB", {}, lambda: True)
    for record in (b"one", b"two"):
        journal.append(record)
    journal.close()
    assert killing.records(home, "JOB") == 2
    assert killing.left(home) == 1
    home.close()


def test_a_kill_that_costs_too_much_or_a_lost_job_misses_the_target(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert resume.report(home, {}, killing.Kills(again=[0.5], in_flight=[0.4], longest=0.4), 1)
    assert not resume.report(home, {}, killing.Kills(again=[0.8], in_flight=[0.4], longest=0.4), 1)
    assert "max 1.200 s" in capsys.readouterr().out
    job = cancel.ask(home, 1)
    reference = killing.Reference(job.record, ("0" * 64,), 3)
    assert not resume.report(home, {job.id: reference}, killing.Kills(), 0)
    assert "lost                    1" in capsys.readouterr().out
    home.close()


@pytest.mark.slow
def test_killed_workers_lose_no_job_and_no_bit() -> None:
    command = [sys.executable, "-m", "benchmarks.resume", "--kills", "6", "--rounds", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 kills" in done.stdout
