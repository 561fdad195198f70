"""Who is next: shares of owners, ageing, expected work, warm models, limits, paused queues."""

import time
from collections.abc import Callable

import pytest
from jobs_cases import submit
from sqlalchemy import update

from omnifex_jobs import Job, JobQueue, State
from omnifex_jobs.database.schema import job
from omnifex_jobs.errors import InvalidLimit, QuotaExceeded
from omnifex_jobs.order.owners import Owner
from omnifex_jobs.order.ranks import UNKNOWN_MS, WINDOW_MS


def order(queue: JobQueue, **wish: object) -> list[str]:
    """The prompts of all jobs that may be claimed, in their order, one by one."""
    prompts = []
    while claims := queue.claim("w", **wish):
        prompts += [claim.job.recipe["prompt"] for claim in claims]
    return prompts


def older(queue: JobQueue, made: Job, milliseconds: int) -> None:
    """As if the job had been submitted earlier."""
    with queue._engine.begin() as db:
        back = {"rank": job.c.rank - milliseconds, "fair_at": job.c.fair_at - milliseconds}
        db.execute(update(job).where(job.c.id == made.id).values(back))


def teach(queue: JobQueue, shape: str, seconds: float, peak: int = 0) -> None:
    submit(queue, "lesson", shape=shape)
    [claim] = queue.claim("w")
    queue.succeed(
        claim, metrics={"predict_time": seconds + 1, "wait_time": 1, "needed_memory_bytes": peak}
    )


def test_one_who_submits_much_does_not_keep_the_others_waiting(queue: JobQueue) -> None:
    for number in range(4):
        submit(queue, f"anna {number}", owner="anna")
    for number in range(2):
        submit(queue, f"ben {number}", owner="ben")
    assert order(queue) == ["anna 0", "ben 0", "anna 1", "ben 1", "anna 2", "anna 3"]


def test_a_weight_is_a_share_of_the_devices(queue: JobQueue) -> None:
    queue.rules.set_owner(Owner("anna", weight=3.0))
    for number in range(6):
        submit(queue, f"anna {number}", owner="anna")
    for number in range(2):
        submit(queue, f"ben {number}", owner="ben")
    first = order(queue)[:5]
    assert first.count("ben 1") == 0
    assert [it.split()[0] for it in first].count("anna") == 4


def test_nobody_is_punished_for_having_used_an_idle_machine(queue: JobQueue) -> None:
    for _ in range(20):
        submit(queue, "anna, alone", owner="anna")
        [claim] = queue.claim("w")
        queue.succeed(claim)
    submit(queue, "anna", owner="anna")
    time.sleep(0.005)
    submit(queue, "ben", owner="ben")
    assert order(queue) == ["anna", "ben"]


def test_waiting_is_ageing(queue: JobQueue) -> None:
    old = submit(queue, "old", priority=0)
    older(queue, old, WINDOW_MS - 60_000)
    submit(queue, "urgent", priority=1)
    assert order(queue) == ["urgent", "old"]
    old = submit(queue, "old", priority=0)
    older(queue, old, WINDOW_MS + 60_000)
    submit(queue, "urgent", priority=1)
    assert order(queue) == ["old", "urgent"]


def test_a_short_job_passes_a_long_one_that_came_a_little_earlier(queue: JobQueue) -> None:
    teach(queue, "video", 60.0)
    teach(queue, "image", 2.0)
    long = submit(queue, "long", shape="video")
    submit(queue, "short", shape="image")
    assert (long.expected_ms, long.shape) == (60_000, "video")
    assert order(queue) == ["short", "long"]
    older(queue, submit(queue, "long", shape="video"), 600_000)
    submit(queue, "short", shape="image")
    assert order(queue) == ["long", "short"]


def test_expected_work_is_learned_and_never_outweighs_priority(queue: JobQueue) -> None:
    teach(queue, "video", 100.0)
    teach(queue, "video", 50.0)
    assert submit(queue, "more", shape="video").expected_ms == 90_000
    teach(queue, "film", 1e6)
    submit(queue, "film", shape="film", priority=1)
    assert order(queue)[0] == "film"


def test_a_model_in_memory_goes_first_but_not_for_ever(queue: JobQueue) -> None:
    cold = submit(queue, "cold", model="cold")
    submit(queue, "warm", model="warm")
    assert order(queue, warm={"warm"}) == ["warm", "cold"]
    cold = submit(queue, "cold", model="cold")
    submit(queue, "warm", model="warm")
    older(queue, cold, 61_000)
    assert order(queue, warm={"warm"}) == ["cold", "warm"]


def test_a_job_is_left_to_a_device_that_can_hold_it(queue: JobQueue) -> None:
    teach(queue, "large", 1.0, peak=2_000)
    assert submit(queue, "large", shape="large").need_bytes == 2_000
    submit(queue, "unknown")
    assert order(queue, most_bytes=1_999) == ["unknown"]
    assert order(queue, most_bytes=2_000) == ["large"]


def test_an_owner_runs_as_many_at_once_as_it_may(queue: JobQueue) -> None:
    waits = [submit(queue, "before", owner="anna").id]
    queue.rules.set_owner(Owner("anna", max_running=2))
    waits += [submit(queue, f"anna {number}", owner="anna").id for number in range(3)]
    submit(queue, "ben", owner="ben")
    claims = queue.claim("w", limit=9)
    assert sorted(it.job.recipe["prompt"] for it in claims) == ["anna 0", "before", "ben"]
    assert queue.claim("w", limit=9) == []
    queue.succeed(claims[0])
    assert [it.job.id for it in queue.claim("w", limit=9)] == [waits[2]]
    queue.rules.set_owner(Owner("anna"))
    assert [it.job.id for it in queue.claim("w", limit=9)] == [waits[3]]


def test_an_owner_has_no_more_waiting_than_it_may(queue: JobQueue) -> None:
    queue.rules.set_owner(Owner("anna", max_waiting=1))
    first = submit(queue, owner="anna")
    with pytest.raises(QuotaExceeded, match="'anna' has 1 jobs waiting") as caught:
        submit(queue, owner="anna")
    assert caught.value.code == "quota_exceeded"
    queue.cancel(first.id)
    assert submit(queue, owner="anna").state == State.QUEUED
    assert [it.max_waiting for it in queue.rules.owners()] == [1]


def test_a_paused_queue_begins_nothing_and_loses_nothing(queue: JobQueue) -> None:
    night = submit(queue, "night", queue="night")
    submit(queue, "day")
    queue.rules.pause("night")
    queue.rules.pause("night")
    assert order(queue) == ["day"]
    [default, paused] = queue.rules.queues()
    assert (default.name, default.jobs) == ("default", {"running": 1})
    assert (paused.name, paused.paused_at is not None, paused.jobs) == (
        "night",
        True,
        {"queued": 1},
    )
    queue.rules.resume("night")
    assert [it.job.id for it in queue.claim("w")] == [night.id]


def test_a_queue_runs_as_many_at_once_as_it_may(queue: JobQueue) -> None:
    for modality in ("image", "audio", "image"):
        submit(queue, modality, queue="night", modality=modality)
    queue.rules.limit("night", 2)
    assert len(queue.claim("w", limit=9)) == 2
    assert queue.claim("w") == []
    queue.rules.limit("night", None)
    assert len(queue.claim("w", limit=9)) == 1


def test_a_worker_may_serve_some_queues_only(queue: JobQueue) -> None:
    submit(queue, "night", queue="night")
    submit(queue, "day")
    assert order(queue, queues=["night"]) == ["night"]


def test_jobs_of_several_lanes_are_taken_by_rank(queue: JobQueue) -> None:
    for prompt, options in (
        ("1", {"modality": "image"}),
        ("2", {"modality": "audio"}),
        ("3", {"modality": "image", "queue": "night"}),
        ("4", {"modality": "image"}),
    ):
        submit(queue, prompt, **options)
        time.sleep(0.003)
    assert [it.job.recipe["prompt"] for it in queue.claim("w", limit=3)] == ["1", "2", "3"]
    assert order(queue) == ["4"]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda queue: submit(queue, queue="a/b"), "a queue's name is 'a/b', but must be 1 to 100"),
        (lambda queue: queue.rules.pause(""), "a queue's name is ''"),
        (lambda queue: queue.rules.limit("q", -1), "max_running is -1, but must be 0 or more"),
        (lambda queue: queue.rules.set_owner(Owner("")), "an owner's name is ''"),
        (lambda queue: queue.rules.set_owner(Owner("a", 0)), "weight is 0, but must be above 0"),
        (lambda queue: queue.rules.set_owner(Owner("a", max_waiting=-1)), "max_waiting is -1"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    queue: JobQueue, act: Callable[[JobQueue], object], said: str
) -> None:
    with pytest.raises(InvalidLimit, match=said):
        act(queue)


def test_what_is_unknown_is_taken_to_be_short() -> None:
    assert 1_000 <= UNKNOWN_MS <= 60_000
