"""What ends jobs by itself: timeouts, stalls, crashes, expiry. And unique jobs, batches, hints."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from jobs_cases import artifact, kinds, submit
from sqlalchemy import inspect, select

from omnifex_jobs import Claim, Job, JobError, JobQueue, Progress, Report, State
from omnifex_jobs.database.hints import Hints
from omnifex_jobs.database.opening import is_postgresql
from omnifex_jobs.database.schema import artifact as artifacts
from omnifex_jobs.database.schema import recipe
from omnifex_jobs.errors import InvalidLimit, JobNotFound, NotRetryable
from omnifex_jobs.moving import rescue as rescuing
from omnifex_jobs.moving.beats import Stop
from omnifex_jobs.moving.clock import LeaseWatch
from omnifex_jobs.upkeep.retention import PINNED


def take(queue: JobQueue, **options: object) -> Claim:
    submit(queue, **options)
    [claim] = queue.claim("w")
    return claim


def crash(queue: JobQueue, progress: float | None = None, *, killed: bool = False) -> None:
    """The worker takes all jobs, gets so far with each, and its process dies."""
    claims = queue.claim("w", limit=9)
    for claim in claims if progress is not None else ():
        queue.report(claim, Report(Progress(progress)))
    assert queue.crashed(claims, killed=killed) == sorted(claim.job.id for claim in claims)


def test_a_timeout_is_told_by_the_beat_and_is_final(queue: JobQueue) -> None:
    claim = take(queue, timeout_ms=1)
    time.sleep(0.01)
    assert queue.beat("w", held=[claim]) == {claim.job.id: Stop.TIMEOUT}
    assert queue.stop(claim, retry_after_s=0) == State.FAILED
    assert queue.get(claim.job.id).error == JobError(
        "timeout", "It took longer than its timeout of 0.001 s."
    )


def test_a_job_without_progress_is_tried_again(queue: JobQueue) -> None:
    claim = take(queue, stall_ms=50)
    queue.report(claim, Report(Progress(0.1)))
    assert queue.beat("w", held=[claim]) == {}
    time.sleep(0.06)
    assert queue.beat("w", held=[claim]) == {claim.job.id: Stop.STALLED}
    assert queue.stop(claim, retry_after_s=0) == State.SCHEDULED
    error = queue.get(claim.job.id).error
    assert error == JobError("stalled", "It made no progress for 0.05 s.", retryable=True)


def test_a_cancel_goes_before_a_timeout_and_nothing_is_a_release(queue: JobQueue) -> None:
    claim = take(queue, timeout_ms=1)
    queue.cancel(claim.job.id)
    assert queue.stop(claim) == State.CANCELED
    claim = take(queue)
    assert queue.stop(claim) == State.QUEUED
    assert queue.get(claim.job.id).attempt == 0


def test_a_timeout_that_its_worker_does_not_keep_is_kept_for_it(
    queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = take(queue, timeout_ms=1)
    time.sleep(0.01)
    assert queue.rescue() == []
    monkeypatch.setattr(rescuing, "GRACE_MS", 1)
    time.sleep(0.01)
    assert queue.rescue() == [claim.job.id]
    error = queue.get(claim.job.id).error
    assert error is not None
    assert error.code == "timeout"


@pytest.mark.parametrize(("killed", "most"), [(False, 2), (True, 3)])
def test_a_job_whose_process_dies_again_and_again_is_poison(
    queue: JobQueue, killed: bool, most: int
) -> None:
    made = submit(queue, max_attempts=9)
    for _ in range(most):
        assert queue.get(made.id).state is State.QUEUED
        crash(queue, killed=killed)
    ended = queue.get(made.id)
    assert (ended.state, ended.crash_count, ended.suspect) == (State.FAILED, most, True)
    assert ended.error == JobError(
        "poison", f"It was running when its process died {most} times, each time no further."
    )
    again = queue.retry(made.id)
    assert (again.crash_count, again.suspect) == (0, False)


@pytest.mark.parametrize(("killed", "crashes"), [(False, 1), (True, 0)])
def test_all_that_ran_where_a_process_died_are_suspects_and_lose_no_attempt(
    queue: JobQueue, killed: bool, crashes: int
) -> None:
    ids = [submit(queue, max_attempts=1).id for _ in range(2)]
    crash(queue, killed=killed)
    found = [queue.get(job_id) for job_id in ids]
    assert [(job.state, job.attempt) for job in found] == [(State.QUEUED, 0)] * 2
    assert [(job.suspect, job.crash_count) for job in found] == [(True, crashes)] * 2
    trusted = submit(queue)
    assert queue.claim("v", suspects=False) == []  # or the suspects would wait for ever
    assert [claim.job.suspect for claim in queue.claim("v", limit=2)] == [True, True]
    assert [claim.job.id for claim in queue.claim("v", suspects=False)] == [trusted.id]


def test_a_crash_after_new_progress_uses_no_attempt(queue: JobQueue) -> None:
    made = submit(queue, max_attempts=2)
    for reached in (0.1, 0.2, 0.3, 0.4, 0.5):
        crash(queue, reached)
    assert (queue.get(made.id).attempt, queue.get(made.id).crash_count) == (0, 1)
    crash(queue, killed=True)
    assert (queue.get(made.id).state, queue.get(made.id).attempt) == (State.QUEUED, 1)


def test_a_job_that_keeps_more_of_its_work_is_no_poison(queue: JobQueue) -> None:
    kept = [0]
    queue = JobQueue(queue._engine, kept=lambda job_id: kept[0])
    made = submit(queue, max_attempts=2)
    for kept[0] in (100, 200, 200, 300):
        crash(queue, killed=True)
    assert (queue.get(made.id).state, queue.get(made.id).crash_count) == (State.QUEUED, 1)


def test_workers_that_fall_silent_blame_no_job(queue: JobQueue) -> None:
    made = submit(queue, max_attempts=9)
    for _ in range(4):
        queue.claim("w", lease_s=0)
        time.sleep(0.01)
        assert queue.rescue() == [made.id]
    assert (queue.get(made.id).state, queue.get(made.id).crash_count) == (State.QUEUED, 0)


def test_a_lease_is_over_when_it_was_seen_unchanged_for_its_time() -> None:
    class Lease:
        claim_token, lease_until, lease_ms = "t", 5_000_000, 30_000  # by a clock an hour ahead

    now = [100.0]
    watch, lease = LeaseWatch(lambda: now[0]), Lease()
    assert watch.run_out([lease]) == []
    now[0] += 29
    assert watch.run_out([lease]) == []
    lease.lease_until += 10_000  # it was renewed
    now[0] += 29
    assert watch.run_out([lease]) == []
    now[0] += 30
    assert watch.run_out([lease]) == ["t"]
    lease.lease_until = 0  # its worker said goodbye
    assert LeaseWatch(lambda: now[0]).run_out([lease]) == ["t"]


def test_a_timeout_is_by_a_clock_that_nobody_sets(queue: JobQueue) -> None:
    if is_postgresql(queue._engine.url):
        return  # it is by the server's
    claim = take(queue, timeout_ms=1000, stall_ms=1000)
    with queue._engine.begin() as db:  # as a worker whose clock is an hour behind writes it
        db.exec_driver_sql("UPDATE job SET started_at = 1, progress_at = 1")
    assert queue.rescue() == queue.rescue() == []
    queue.succeed(claim)


def test_signs_last_as_long_as_they_are_seen_unchanged() -> None:
    now = [0.0]
    watch = LeaseWatch(lambda: now[0])
    assert watch.lasted({"a": 1, "b": 1}) == {"a": 0, "b": 0}
    now[0] = 2.0
    assert watch.lasted({"a": 1, "b": 2}) == {"a": 2000, "b": 0}
    assert watch.lasted({"b": 2}) == {"b": 0}
    assert watch.lasted({"a": 1}) == {"a": 0}


def test_a_clock_that_is_an_hour_off_rescues_nobody(queue: JobQueue) -> None:
    if is_postgresql(queue._engine.url):
        return  # its leases are by the server's clock, which is another process
    claim = take(queue)
    with queue._engine.begin() as db:  # as this machine's clock set ahead would show it
        db.exec_driver_sql("UPDATE job SET lease_until = lease_until - 3600000")
    assert queue.rescue() == []
    queue.succeed(claim)


def test_what_has_not_begun_when_it_expires_fails(queue: JobQueue) -> None:
    past = round(time.time() * 1000) - 10_000
    parent = submit(queue)
    waiting = [
        submit(queue, expires_at=past),
        submit(queue, expires_at=past, run_at=past + 10_000_000),
        submit(queue, expires_at=past, parents=[parent.id]),
    ]
    assert queue.stage() == 3
    assert {queue.get(it.id).error for it in waiting} == {
        JobError("expired", "It had not begun when it expired.")
    }
    assert queue.get(parent.id).state == State.QUEUED
    assert queue.stage() == 0
    assert queue.retry(waiting[0].id).expires_at is None


def test_a_unique_job_is_one_until_it_has_ended(queue: JobQueue) -> None:
    first = submit(queue, unique_key="daily")
    assert submit(queue, "other", unique_key="daily").id == first.id
    queue.cancel(first.id)
    second = submit(queue, unique_key="daily")
    assert second.id != first.id
    with pytest.raises(NotRetryable, match=f"job {second.id} does the same"):
        queue.retry(first.id)


def test_many_submit_a_unique_job_at_once(queue: JobQueue) -> None:
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(submit(queue, unique_key="k").id))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == len(queue.find()) == 1


def test_a_batch_is_counted_and_canceled_as_one(queue: JobQueue) -> None:
    parent = submit(queue, batch="b")
    child = submit(queue, batch="b", parents=[parent.id])
    other = submit(queue)
    assert queue.batches.counts("b") == {State.QUEUED: 1, State.BLOCKED: 1}
    assert queue.batches.jobs("b") == [parent.id, child.id]
    assert queue.batches.cancel("b", "enough") == 2
    assert queue.batches.counts("b") == {State.CANCELED: 2}
    assert queue.get(child.id).error == JobError("canceled", "enough")
    assert queue.get(other.id).state == State.QUEUED


def test_old_jobs_are_forgotten_with_all_that_hangs_on_them(queue: JobQueue) -> None:
    parent = submit(queue, "parent")
    child = submit(queue, "child", parents=[parent.id])
    queue.succeed(queue.claim("w")[0], [artifact("a"), artifact("b")])
    lone = submit(queue, "lone")
    claims = {it.job.id: it for it in queue.claim("w", limit=2)}
    queue.succeed(claims[lone.id], [artifact("b")])
    time.sleep(0.01)
    assert queue.rules.prune(3600) == (0, [])
    assert queue.rules.prune(0, [State.FAILED]) == (0, [])
    assert queue.rules.prune(0) == (1, [])  # the parent stays: its child runs
    with pytest.raises(JobNotFound):
        queue.get(lone.id)
    queue.succeed(claims[child.id])
    time.sleep(0.01)
    forgotten, files = queue.rules.prune(0)
    assert (forgotten, sorted(files)) == (2, ["a" * 64, "b" * 64])
    assert queue.find() == queue.events() == []
    with queue._engine.begin() as db:
        assert db.execute(select(recipe)).all() == db.execute(select(artifacts)).all() == []
        assert inspect(db).has_table("job")


def old_job(queue: JobQueue, **options: Any) -> Job:
    job = submit(queue, **options)
    queue.succeed(queue.claim("w")[0])
    time.sleep(0.01)
    return job


def test_old_jobs_are_forgotten_by_the_rules_a_worker_at_a_time(queue: JobQueue) -> None:
    old_job(queue)
    assert queue.rules.prune_due() == 0  # without a rule nothing goes
    queue.rules.keep("succeeded", timedelta(days=1))
    queue.rules.keep("failed", timedelta(0))
    assert queue.rules.kept() == {State.FAILED: timedelta(0), State.SUCCEEDED: timedelta(days=1)}
    assert queue.rules.prune_due() == 0
    queue.rules.keep("succeeded", timedelta(0))
    with ThreadPoolExecutor(4) as pool:
        turns = list(pool.map(lambda _: queue.rules.prune_due(), range(4)))
    assert sorted(turns) == [0, 0, 0, 1]
    assert queue.find() == []
    old_job(queue)
    assert queue.rules.prune_due() == 0  # the next round is in a minute
    queue.rules.keep("succeeded", None)
    assert list(queue.rules.kept()) == [State.FAILED]


def test_what_is_pinned_or_needed_outlives_the_rules(queue: JobQueue) -> None:
    pinned, parent, spare = old_job(queue), old_job(queue), old_job(queue)
    submit(queue, parents=[parent.id], run_at=10**15)
    queue.rules.pin(pinned.id)
    queue.rules.pin(pinned.id)
    assert queue.get(pinned.id).tags == (PINNED,)
    queue.rules.keep("succeeded", timedelta(0))
    assert queue.rules.prune_due() == 1
    with pytest.raises(JobNotFound):
        queue.get(spare.id)
    queue.rules.pin(pinned.id, False)
    assert queue.rules.prune(0) == (1, [])
    assert queue.get(parent.id)


def test_a_turn_of_forgetting_is_bounded(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnifex_jobs.upkeep.retention.SLICE", 2)
    for _ in range(3):
        old_job(queue)
    queue.rules.keep("succeeded", timedelta(0))
    assert [queue.rules.prune_due() for _ in range(3)] == [2, 1, 0]


def test_a_rule_for_keeping_jobs_must_make_sense(queue: JobQueue) -> None:
    with pytest.raises(InvalidLimit, match=r"state is 'running'.*canceled, failed, succeeded"):
        queue.rules.keep("running", timedelta(1))
    with pytest.raises(InvalidLimit, match="0 or more"):
        queue.rules.keep("failed", timedelta(-1))
    with pytest.raises(JobNotFound):
        queue.rules.pin("nobody")


def test_a_hint_rings_at_once_on_a_server(queue: JobQueue) -> None:
    rung = threading.Event()
    listening = Hints(queue._engine)
    listening.listen(rung.set)
    if not is_postgresql(queue._engine.url):
        queue.hints.send()
        assert not rung.wait(0.05)
        return
    deadline = time.monotonic() + 30
    while not rung.wait(0.1) and time.monotonic() < deadline:
        submit(queue)
    assert rung.is_set()
    listening.close()
    assert kinds(queue)[0] == "queued"
