"""Cron lines: when they fire, that they fire once, and what is no cron line."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from jobs_cases import submit
from sqlalchemy import update

from omnifex_jobs import JobQueue
from omnifex_jobs.database.schema_knowledge import schedule
from omnifex_jobs.errors import InvalidSchedule, ScheduleNotFound
from omnifex_jobs.upkeep.cron import first_after, next_to_fire


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def come(queue: JobQueue, name: str, moment: int) -> None:
    """As if the schedule's next time were this one."""
    with queue._engine.begin() as db:
        db.execute(update(schedule).where(schedule.c.name == name).values(next_at=moment))


def test_a_cron_line_fires_in_its_time_zone() -> None:
    noon = at("2026-11-25 12:00")
    assert first_after("0 7 * * *", "UTC", noon) == at("2026-11-26 07:00")
    assert first_after("0 7 * * *", "Europe/Paris", noon) == at("2026-11-26 06:00")
    assert first_after("*/20 * * * * *", "UTC", noon) == at("2026-11-25 12:00:20")


def test_missed_times_are_made_up_for_but_not_those_of_a_long_absence() -> None:
    fired = at("2026-11-25 12:00")
    soon = next_to_fire("* * * * *", "UTC", fired, at("2026-11-25 12:04:30"))
    late = next_to_fire("* * * * *", "UTC", fired, at("2026-11-25 18:00:30"))
    assert (soon, late) == (at("2026-11-25 12:01"), at("2026-11-25 18:00"))
    assert next_to_fire("0 0 1 1 *", "UTC", fired, fired + 1) == at("2027-01-01 00:00")


@pytest.mark.parametrize(
    ("cron", "zone", "why"),
    [
        ("0 0 30 2 *", "UTC", "'0 0 30 2 .' is no schedule: "),
        ("0 0 29 2 mon#9", "UTC", "write five fields, such as"),
        ("every day", "UTC", "'every day' is no schedule: .*write five fields"),
        ("0 7 * * *", "Mars/Olympus", "'Mars/Olympus' is no schedule: no time zone has this name"),
    ],
)
def test_what_is_no_schedule_is_refused(cron: str, zone: str, why: str) -> None:
    with pytest.raises(InvalidSchedule, match=why):
        first_after(cron, zone, 0)


def test_a_schedule_is_kept_changed_rested_and_removed(queue: JobQueue) -> None:
    made = queue.schedules.put("daily", "0 7 * * *", {"modality": "image"})
    assert queue.schedules.all() == [made]
    assert (made.enabled, made.order, made.zone) == (True, {"modality": "image"}, "UTC")
    assert queue.schedules.put("daily", "0 8 * * *", {}).cron == "0 8 * * *"
    assert queue.schedules.enable("daily", False).enabled is False
    come(queue, "daily", 1)
    assert queue.schedules.due() == []
    assert queue.schedules.enable("daily").next_at > 1
    queue.schedules.remove("daily")
    assert queue.schedules.all() == []
    with pytest.raises(ScheduleNotFound, match="No schedule 'daily'"):
        queue.schedules.enable("daily")


def test_each_time_fires_once_however_many_try(open_queue_at: Callable[[], JobQueue]) -> None:
    queues = [open_queue_at() for _ in range(4)]
    queues[0].schedules.put("often", "* * * * * *", {})
    come(queues[0], "often", round(datetime.now(UTC).timestamp()) * 1000 - 5_000)
    ready = threading.Barrier(4)

    def lead(queue: JobQueue) -> None:
        ready.wait(30)
        for _ in range(5):
            for due in queue.schedules.due():
                made = submit(queue, "a circle", idempotency_key=due.key)
                queue.schedules.fired(due, made.id)

    leaders = [threading.Thread(target=lead, args=[queue]) for queue in queues]
    for leader in leaders:
        leader.start()
    for leader in leaders:
        leader.join()
    fires = queues[0].schedules.fires("often")
    moments = sorted(fires)
    assert moments == list(range(moments[0], moments[-1] + 1, 1000))
    assert len(moments) >= 5
    assert len(set(fires.values())) == len(fires) == len(queues[0].find(limit=1000))


def test_one_who_dies_between_the_job_and_its_note_makes_no_second_job(queue: JobQueue) -> None:
    queue.schedules.put("daily", "0 7 * * *", {})
    come(queue, "daily", 1_000)
    [due] = queue.schedules.due()
    first = submit(queue, idempotency_key=due.key)
    [again] = queue.schedules.due()
    assert submit(queue, idempotency_key=again.key).id == first.id
    assert queue.schedules.fired(again, first.id)
    assert not queue.schedules.fired(due, first.id)
    assert queue.schedules.fires("daily") == {1_000: first.id}
