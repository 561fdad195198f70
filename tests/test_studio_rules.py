"""Queues, batches, unique jobs, limits of time and schedules, as a user of a studio has them."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import text
from studio_cases import open_tiles, until
from typer.testing import CliRunner

from omnifex.errors import InvalidRequest
from omnifex.studio import Studio
from omnifex.timetable import fire_due
from omnifex_jobs import State
from omnifex_jobs.errors import InvalidSchedule
from omnifex_jobs.order.owners import Owner


@pytest.fixture
def studio() -> Studio:
    return open_tiles(workers=0)


def test_a_job_is_queued_as_it_was_asked_for(studio: Studio) -> None:
    job = studio.submit(
        "tile", prompt="red", queue="night", batch="b", timeout=60, stall_timeout=5, expires=3600
    )
    record = job.record
    assert (record.queue, record.batch) == ("night", "b")
    assert (record.timeout_ms, record.stall_ms) == (60_000, 5_000)
    assert record.expires_at is not None
    assert 3500 < record.expires_at / 1000 - time.time() < 3700
    assert record.shape is not None
    assert record.shape.startswith("tile/tiles/")
    assert studio.batches.counts("b") == {State.QUEUED: 1}


def test_a_unique_job_is_one_whatever_its_seed(studio: Studio) -> None:
    first = studio.submit("tile", prompt="red", unique=True)
    assert studio.submit("tile", prompt="red", unique=True) == first
    assert studio.submit("tile", prompt="blue", unique=True) != first
    assert studio.submit("tile", prompt="red") != first
    by_key = studio.submit("tile", prompt="red", unique="k")
    assert studio.submit("tile", prompt="blue", unique="k") == by_key


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": 0}, "timeout is 0, but must be in the future"),
        ({"expires": "soon"}, "expires is 'soon', but must be"),
        ({"queue": "a/b"}, "queue is 'a/b', but must be text of 1 to 100 characters without"),
        ({"batch": ""}, "batch is '', but must be text"),
    ],
)
def test_what_makes_no_sense_is_refused(
    studio: Studio, options: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        studio.submit("tile", prompt="red", **options)
    assert list(studio.jobs()) == []


def test_a_schedule_fires_in_a_worker_each_time_with_another_seed() -> None:
    with open_tiles() as studio:
        studio.schedule("often", "* * * * * *", "tile", prompt="red")
        until(lambda: len(studio.schedules.fires("often")) >= 2)
        studio.schedules.remove("often")
        jobs = list(studio.jobs())
        assert len({job.seed for job in jobs}) == len(jobs) >= 2
        assert jobs[-1].result(60)


def test_a_worker_forgets_old_jobs_by_the_rules() -> None:
    with open_tiles() as studio:
        job, pinned = studio.submit("tile", prompt="red"), studio.submit("tile", prompt="blue")
        pinned.pin()
        job.result(60), pinned.result(60)
        studio.queues.keep("succeeded", timedelta(0))
        until(lambda: list(studio.jobs()) == [pinned])


def test_all_missed_times_are_made_up_for_at_once(studio: Studio) -> None:
    studio.schedule("often", "* * * * * *", "tile", prompt="red")
    home = studio._home
    with home.database.begin() as db:
        db.execute(text("UPDATE schedule SET next_at = next_at - 20000"))
    assert fire_due(home) >= 20
    moments = sorted(home.queue.schedules.fires("often"))
    assert moments == list(range(moments[0], moments[0] + 1000 * len(moments), 1000))


def test_a_schedule_is_checked_when_it_is_made(studio: Studio) -> None:
    with pytest.raises(InvalidSchedule, match="no schedule"):
        studio.schedule("never", "0 0 30 2 *", "tile", prompt="red")
    with pytest.raises(InvalidRequest):
        studio.schedule("bad", "* * * * *", "tile", prompt="red", steps="many")
    assert studio.schedules.all() == []


def test_the_command_line_shows_and_sets_the_rules(studio: Studio) -> None:
    from omnifex.cli.app import app

    def omnifex(*arguments: str) -> str:
        done = CliRunner().invoke(app(studio._home.plugins), list(arguments))
        assert done.exit_code == 0, done.output
        return done.output

    omnifex("queues", "pause")
    omnifex("queues", "limit", "night", "--running", "2")
    omnifex("queues", "owner", "anna", "--weight", "2", "--waiting", "9")
    shown = omnifex("queues")
    assert "default: paused, empty" in shown
    assert "night: empty, at most 2 at once" in shown
    assert "owner anna: weight 2" in shown
    assert studio.queues.owners() == [Owner("anna", 2.0, None, 9)]
    omnifex("queues", "resume")
    assert "paused" not in omnifex("queues", "list")
    omnifex("schedules", "add", "daily", "0 7 * * *", "tile", "red", "--zone", "Europe/Paris")
    assert "daily: 0 7 * * * (Europe/Paris), next " in omnifex("schedules")
    omnifex("schedules", "pause", "daily")
    assert "paused: tile 'red'" in omnifex("schedules", "list")
    omnifex("schedules", "remove", "daily")
    assert omnifex("schedules", "--json").strip() == '{"schedules": []}'
    omnifex("queues", "keep", "failed", "--days", "7")
    assert "failed jobs are kept for 7 days" in omnifex("queues")
    omnifex("queues", "keep", "failed")
    assert "kept" not in omnifex("queues")
    job = studio.submit("tile", prompt="red")
    omnifex("jobs", "pin", job.id)
    assert job.tags == ("pinned",)
    omnifex("jobs", "pin", job.id, "--off")
    assert job.tags == ()
    assert "0 jobs forgotten" in omnifex("queues", "prune", "--days", "30")
