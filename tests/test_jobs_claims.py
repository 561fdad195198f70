import time

import pytest
from jobs_cases import artifact, kinds, submit

from omnifex_jobs import Claim, JobError, JobQueue, Progress, Report, State, Wish
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.moving.beats import Stop

BOOM = JobError("boom", "It broke.", retryable=True)


def take(queue: JobQueue, **options: float) -> Claim:
    submit(queue)
    [claim] = queue.claim("w", **options)  # type: ignore[arg-type]
    return claim


def test_the_highest_priority_is_claimed_first_then_the_oldest(queue: JobQueue) -> None:
    made = [submit(queue, priority=priority) for priority in (0, 5, 0, 5, -1)]
    claims = queue.claim("w", limit=4)
    assert [it.job.id for it in claims] == [made[n].id for n in (1, 3, 0, 2)]
    assert len({it.token for it in claims}) == 4
    assert [it.job.id for it in queue.claim("v", limit=4)] == [made[4].id]
    assert queue.claim("w") == []


def test_a_claimed_job_is_running_and_knows_its_worker(queue: JobQueue) -> None:
    claim = take(queue)
    assert (claim.job.state, claim.job.worker, claim.attempt) == (State.RUNNING, "w", 1)
    assert claim.job.started_at is not None
    assert queue.events(claim.job.id)[-1].payload == {"worker": "w"}


def test_a_worker_takes_only_what_it_can_make(queue: JobQueue) -> None:
    submit(queue, modality="image")
    sound = submit(queue, modality="audio")
    assert [it.job.id for it in queue.claim("w", limit=9, modalities={"audio", "mesh"})] == [
        sound.id
    ]


def test_success_binds_the_artifacts_and_keeps_the_metrics(queue: JobQueue) -> None:
    claim = take(queue)
    queue.report(claim, Report(Progress(0.3)))
    files = [artifact("a"), artifact("b"), artifact("c", role="preview")]
    queue.succeed(claim, files, {"predict_time": 1.5})
    done = queue.get(claim.job.id)
    assert (done.state, done.progress.value, done.metrics) == (
        State.SUCCEEDED,
        1.0,
        {"predict_time": 1.5},
    )
    assert [(it.sha256[0], it.role, it.position) for it in done.artifacts] == [
        ("a", "output", 0),
        ("b", "output", 1),
        ("c", "preview", 0),
    ]
    assert done.completed_at is not None
    assert kinds(queue, done.id) == ["queued", "running", "progress", "succeeded"]


def test_the_end_of_a_job_takes_the_next_one_for_the_same_worker(queue: JobQueue) -> None:
    first, second, third = (submit(queue) for _ in range(3))
    [claim] = queue.claim("w")
    [following] = queue.succeed(claim, then=Wish())
    assert (following.job.id, following.job.worker) == (second.id, "w")
    assert following.token == claim.successor != claim.token
    assert queue.holds(following)
    with pytest.raises(LostClaim):
        queue.succeed(claim, then=Wish())
    assert queue.get(third.id).state is State.QUEUED
    [last] = queue.succeed(following, then=Wish())
    assert queue.succeed(last, then=Wish()) == []
    assert queue.get(first.id).state is queue.get(third.id).state is State.SUCCEEDED


def test_a_job_that_ends_makes_room_for_the_one_after_it_where_only_one_may_run(
    queue: JobQueue,
) -> None:
    queue.rules.limit("default", 1)
    ids = [submit(queue).id for _ in range(2)]
    [claim] = queue.claim("w", limit=2)
    [following] = queue.succeed(claim, then=Wish())
    assert [claim.job.id, following.job.id] == ids


def test_what_a_process_took_before_it_could_say_so_goes_back_when_it_dies(
    queue: JobQueue,
) -> None:
    submit(queue)
    second = submit(queue)
    [claim] = queue.claim("w")
    queue.succeed(claim, then=Wish())
    assert queue.crashed([claim]) == [second.id]
    assert queue.get(second.id).state is State.QUEUED


def test_two_jobs_may_share_a_file(queue: JobQueue) -> None:
    for name in ("one.png", "two.png"):
        queue.succeed(take(queue), [artifact("a", name=name)])
    assert {it.artifacts[0].name for it in queue.find()} == {"one.png", "two.png"}


def test_every_write_of_a_lost_claim_is_refused(queue: JobQueue) -> None:
    lost = take(queue, lease_s=0)
    time.sleep(0.01)
    assert queue.rescue() == [lost.job.id]
    [held] = queue.claim("v")
    writes = [
        lambda: queue.succeed(lost, [artifact()]),
        lambda: queue.fail(lost, BOOM),
        lambda: queue.canceled(lost),
        lambda: queue.release(lost),
        lambda: queue.event(lost, "note", {}),
        lambda: queue.report(lost, Report(Progress(0.9))),
        lambda: queue.report(lost, Report(notes=["too late"])),
    ]
    for write in writes:
        with pytest.raises(LostClaim, match=f"claim on job {lost.job.id} is lost"):
            write()
    queue.succeed(held)
    assert queue.get(lost.job.id).artifacts == ()
    assert queue.get(lost.job.id).worker == "v"


def test_a_claim_ends_once(queue: JobQueue) -> None:
    claim = take(queue)
    queue.succeed(claim)
    with pytest.raises(LostClaim):
        queue.succeed(claim)


def test_progress_never_goes_down(queue: JobQueue) -> None:
    claim = take(queue)
    for value, step in ((0.5, 1), (0.2, 2), (7.0, 3)):
        queue.report(claim, Report(Progress(value, "sampling", step, 3, eta=1.5)))
    values = [it.payload["value"] for it in queue.events() if it.kind == "progress"]
    assert values == [0.5, 0.5, 1.0]
    assert queue.get(claim.job.id).progress == Progress(1.0, "sampling", 3, 3, 1.5)


def test_a_failure_with_a_delay_is_tried_again_until_the_attempts_are_used(queue: JobQueue) -> None:
    made = submit(queue, max_attempts=2)
    assert queue.fail(queue.claim("w")[0], BOOM, retry_after_s=0) == State.SCHEDULED
    assert queue.get(made.id).error == BOOM
    time.sleep(0.01)
    assert queue.stage() == 1
    [second] = queue.claim("w")
    assert (second.attempt, second.job.error) == (2, None)
    assert queue.fail(second, BOOM, retry_after_s=0) == State.FAILED
    assert [(it.attempt, it.outcome, it.error) for it in queue.attempts(made.id)] == [
        (1, "fail", BOOM),
        (2, "fail", BOOM),
    ]


def test_a_failure_without_a_delay_is_final(queue: JobQueue) -> None:
    claim = take(queue)
    assert queue.fail(claim, BOOM) == State.FAILED
    assert queue.events()[-1].payload["error"]["message"] == "It broke."


def test_a_running_job_is_asked_to_stop_through_the_heartbeat(queue: JobQueue) -> None:
    claim = take(queue)
    assert queue.beat("w", held=[claim]) == {}
    asked = queue.cancel(claim.job.id, "too slow")
    assert (asked.state, asked.cancel_requested) == (State.RUNNING, True)
    queue.cancel(claim.job.id, "twice")
    assert kinds(queue) == ["queued", "running", "cancel_requested"]
    assert queue.beat("w", held=[claim]) == {claim.job.id: Stop.CANCELED}
    queue.canceled(claim)
    assert queue.get(claim.job.id).error == JobError("canceled", "too slow")


def test_cancel_wins_over_retry_and_release_but_not_over_success(queue: JobQueue) -> None:
    ends = [
        lambda claim: queue.fail(claim, BOOM, retry_after_s=0),
        queue.release,
        queue.succeed,
    ]
    states = []
    for end in ends:
        claim = take(queue)
        queue.cancel(claim.job.id)
        end(claim)
        states.append(queue.get(claim.job.id).state)
    assert states == [State.CANCELED, State.CANCELED, State.SUCCEEDED]


def test_a_released_job_keeps_its_attempt(queue: JobQueue) -> None:
    claim = take(queue)
    queue.release(claim)
    assert (queue.get(claim.job.id).state, queue.get(claim.job.id).attempt) == (State.QUEUED, 0)
    assert queue.claim("w")[0].attempt == 1
    assert [it.outcome for it in queue.attempts(claim.job.id)] == ["release", None]


def test_a_beat_renews_the_lease_and_names_lost_jobs(queue: JobQueue) -> None:
    kept, lost = take(queue, lease_s=0), take(queue)
    queue.beat("w", 30, [kept, lost])
    assert queue.rescue() == []
    queue.succeed(lost)
    assert queue.beat("w", 30, [kept, lost]) == {lost.job.id: Stop.LOST}


def test_a_claim_whose_answer_was_lost_is_not_renewed(queue: JobQueue) -> None:
    unheard = take(queue, lease_s=0)
    assert queue.beat("w", lease_s=30, held=[]) == {}
    time.sleep(0.01)
    assert queue.rescue() == [unheard.job.id]


def test_rescue_queues_fails_or_cancels(queue: JobQueue) -> None:
    again, last, unwanted = (submit(queue, max_attempts=most) for most in (2, 1, 3))
    queue.claim("w", lease_s=0, limit=3)
    queue.cancel(unwanted.id)
    time.sleep(0.01)
    assert queue.rescue() == [again.id, last.id, unwanted.id]
    assert queue.get(again.id).state == State.QUEUED
    assert queue.get(last.id).error == JobError(
        "lost_worker", "Worker w vanished on attempt 1 of 1.", retryable=True
    )
    assert queue.get(unwanted.id).state == State.CANCELED
    assert queue.rescue() == []


def test_a_worker_that_says_goodbye_is_rescued_without_waiting(queue: JobQueue) -> None:
    name = queue.register(devices=["cpu"], version="1")
    submit(queue)
    [claim] = queue.claim(name)
    [known] = queue.workers()
    assert (known.id, known.devices, known.version, known.gone_at) == (name, ("cpu",), "1", None)
    queue.seen(name)
    assert queue.workers()[0].seen_at >= known.seen_at
    queue.gone(name)
    assert queue.workers() == []
    assert queue.rescue() == [claim.job.id]


def test_a_claim_can_ask_for_the_urgent(queue: JobQueue) -> None:
    _, urgent, _ = (submit(queue, priority=priority) for priority in (0, 5, 1))
    worker = queue.register()
    assert queue.claim(worker, above=5) == []
    assert [held.job.id for held in queue.claim(worker, limit=9, above=1)] == [urgent.id]
