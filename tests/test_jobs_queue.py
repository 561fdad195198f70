import time

import pytest
from jobs_cases import artifact, kinds, submissions, submit

from omnifex_jobs import JobError, JobQueue, Recipe, State, Submission
from omnifex_jobs.database.schema import recipe
from omnifex_jobs.errors import IdempotencyConflict, JobNotFound, NotRetryable, UnknownState


def now() -> int:
    return round(time.time() * 1000)


def test_a_submitted_job_comes_back_as_it_was_asked_for(queue: JobQueue) -> None:
    made = submit(queue, "a blue ring", priority=3, metadata={"project": "x"}, max_attempts=5)
    assert made == queue.get(made.id)
    assert made.state == State.QUEUED
    assert (made.recipe, made.priority, made.max_attempts) == ({"prompt": "a blue ring"}, 3, 5)
    assert made.recipe_hash == Recipe({"prompt": "a blue ring"}).hash
    assert made.metadata == {"project": "x"}
    assert abs(made.created_at - now()) < 60_000
    assert not made.final
    assert kinds(queue, made.id) == ["queued"]


def test_an_unknown_job_is_named(queue: JobQueue) -> None:
    with pytest.raises(JobNotFound, match="No job 'nowhere'") as caught:
        queue.get("nowhere")
    assert caught.value.code == "job_not_found"


def test_equal_recipes_are_stored_once(queue: JobQueue) -> None:
    submit(queue, "twice")
    submit(queue, "twice")
    with queue._engine.begin() as db:
        assert len(db.execute(recipe.select()).all()) == 1


def test_inputs_are_bound_in_their_order(queue: JobQueue) -> None:
    files = [artifact("b", role="input", name="b.png"), artifact("a", role="input", meta={"w": 8})]
    made = submit(queue, inputs=files)
    assert [(it.sha256[0], it.position, it.role) for it in made.artifacts] == [
        ("b", 0, "input"),
        ("a", 1, "input"),
    ]
    assert made.artifacts[1].meta == {"w": 8}
    assert made.artifacts[0].name == "b.png"


def test_many_are_submitted_all_or_none(queue: JobQueue) -> None:
    made = queue.submit_many(submissions(600))
    assert [it.recipe["prompt"] for it in made] == [f"job {n}" for n in range(600)]
    bad = Submission(Recipe({}), "image", "prism", parents=["nowhere"])
    with pytest.raises(JobNotFound):
        queue.submit_many([*submissions(3), bad])
    assert queue.counts()[State.QUEUED] == 600


def test_one_idempotency_key_is_one_job(queue: JobQueue) -> None:
    first = submit(queue, idempotency_key="k")
    assert submit(queue, idempotency_key="k").id == first.id
    assert kinds(queue) == ["queued"]
    with pytest.raises(IdempotencyConflict, match=f"'k' belongs to job {first.id}"):
        submit(queue, "something else", idempotency_key="k")


def test_a_job_for_later_is_scheduled_and_queued_when_its_time_comes(queue: JobQueue) -> None:
    later = submit(queue, run_at=now() + 3_600_000)
    soon = submit(queue, run_at=now() + 50)
    assert (later.state, soon.state) == (State.SCHEDULED, State.SCHEDULED)
    assert submit(queue, run_at=now() - 1).state == State.QUEUED
    assert queue.claim("w", limit=9, modalities=["audio"]) == []
    time.sleep(0.1)
    assert queue.stage() == 1
    assert queue.stage() == 0
    assert queue.get(soon.id).state == State.QUEUED
    assert queue.get(later.id).state == State.SCHEDULED


def test_a_child_waits_for_all_its_parents(queue: JobQueue) -> None:
    parents = [submit(queue, "one").id, submit(queue, "two").id]
    child = submit(queue, "child", parents=[*parents, parents[0]])
    assert (child.state, list(child.parents)) == (State.BLOCKED, sorted(parents))
    for claim in queue.claim("w", limit=2):
        assert queue.get(child.id).state == State.BLOCKED
        queue.succeed(claim)
    assert queue.get(child.id).state == State.QUEUED
    assert kinds(queue, child.id) == ["blocked", "queued"]
    assert submit(queue, "late child", parents=parents).state == State.QUEUED


def test_a_child_for_later_is_scheduled_when_its_parents_are_done(queue: JobQueue) -> None:
    child = submit(queue, "child", parents=[submit(queue).id], run_at=now() + 3_600_000)
    queue.succeed(queue.claim("w")[0])
    assert queue.get(child.id).state == State.SCHEDULED


def test_a_lost_parent_fails_all_who_descend_from_it(queue: JobQueue) -> None:
    family = [submit(queue)]
    for _ in range(30):
        family.append(submit(queue, parents=[family[-1].id]))
    [claim] = queue.claim("w")
    queue.fail(claim, JobError("boom", "It broke."))
    child, grandchild = (queue.get(it.id) for it in family[1:3])
    assert child.error == JobError(
        "dependency", f"Job {family[0].id}, which this one needs, failed."
    )
    assert grandchild.error is not None
    assert child.id in grandchild.error.message
    assert queue.counts()[State.FAILED] == 31
    assert submit(queue, parents=[family[5].id]).state == State.FAILED


def test_a_child_of_two_lost_parents_fails_once(queue: JobQueue) -> None:
    parents = [submit(queue).id, submit(queue).id]
    child = submit(queue, parents=parents)
    queue.cancel(parents[0])
    queue.cancel(parents[1])
    assert kinds(queue, child.id) == ["blocked", "failed"]
    assert "was canceled" in str(queue.get(child.id).error)


def test_stage_frees_what_a_race_left_blocked(queue: JobQueue) -> None:
    child = submit(queue, parents=[submit(queue).id])
    with queue._engine.begin() as db:  # as two parents ending at once on PostgreSQL could leave it
        db.exec_driver_sql("UPDATE job SET state='succeeded', completed_at=1 WHERE state='queued'")
    assert queue.stage() == 1
    assert queue.get(child.id).state == State.QUEUED


def test_a_waiting_job_is_canceled_at_once(queue: JobQueue) -> None:
    waiting = [submit(queue), submit(queue, run_at=now() + 3_600_000)]
    waiting.append(submit(queue, parents=[waiting[1].id]))
    for made in reversed(waiting):
        ended = queue.cancel(made.id, "not needed")
        assert (ended.state, ended.error) == (State.CANCELED, JobError("canceled", "not needed"))
        assert ended.final
    assert queue.cancel(waiting[0].id, "again").error == JobError("canceled", "not needed")
    with pytest.raises(JobNotFound):
        queue.cancel("nowhere")


def test_retry_gives_a_new_attempt_budget(queue: JobQueue) -> None:
    made = submit(queue, max_attempts=1)
    [claim] = queue.claim("w")
    assert queue.fail(claim, JobError("boom", "It broke."), retry_after_s=0) == State.FAILED
    again = queue.retry(made.id)
    assert (again.state, again.attempt, again.error) == (State.QUEUED, 0, None)
    assert again.completed_at is None
    assert queue.claim("w")[0].attempt == 1
    with pytest.raises(NotRetryable, match="it is running"):
        queue.retry(made.id)


def test_a_retried_job_waits_no_longer_for_the_time_it_was_given(queue: JobQueue) -> None:
    tomorrow = submit(queue, run_at=now() + 86_400_000)
    queue.cancel(tomorrow.id)
    time.sleep(0.002)
    younger = submit(queue)
    queue.retry(tomorrow.id)
    assert [it.job.id for it in queue.claim("w", limit=2)] == [tomorrow.id, younger.id]


def test_a_child_is_retried_after_its_parent(queue: JobQueue) -> None:
    parent = submit(queue)
    child = submit(queue, parents=[parent.id])
    queue.cancel(parent.id)
    with pytest.raises(NotRetryable, match=f"it needs job {parent.id}, which is canceled"):
        queue.retry(child.id)
    queue.retry(parent.id)
    assert queue.retry(child.id).state == State.BLOCKED
    queue.succeed(queue.claim("w")[0])
    assert queue.get(child.id).state == State.QUEUED


def test_jobs_are_found_by_all_that_is_given(queue: JobQueue) -> None:
    circle = submit(queue, "A RED circle, 100%", modality="image")
    tone = submit(queue, "a sine tone", modality="audio", model="other")
    queue.cancel(tone.id)
    assert [it.id for it in queue.find()] == [tone.id, circle.id]
    assert [it.id for it in queue.find(text="circle RED")] == [circle.id]
    assert [it.id for it in queue.find(text="100% circ*")] == [circle.id]
    assert [it.id for it in queue.find(text='"red circle"')] == [circle.id]
    for words in ("1_0", "prompt", "circ", '"circle red"', "%", '"', "red AND tone", "*"):
        assert queue.find(text=words) == []
    assert [it.id for it in queue.find(state="canceled", modality="audio", model="other")] == [
        tone.id
    ]
    assert [it.id for it in queue.find(before=tone.id, limit=1)] == [circle.id]
    with pytest.raises(UnknownState, match="No job state 'done'; states: blocked, "):
        queue.find(state="done")


def test_events_can_be_resumed_by_number(queue: JobQueue) -> None:
    first, second = submit(queue), submit(queue)
    queue.event(first.id, "note", {"text": "hello"})
    queue.cancel(second.id)
    everything = queue.events()
    assert [it.kind for it in everything] == ["queued", "queued", "note", "canceled"]
    assert [it.seq for it in everything] == sorted({it.seq for it in everything})
    assert queue.events(after=everything[1].seq) == everything[2:]
    assert queue.events(first.id, after=everything[0].seq, limit=1) == [everything[2]]
    assert everything[2].payload == {"text": "hello"}
    with pytest.raises(JobNotFound):
        queue.event("nowhere", "note", {})


def test_counts_name_every_state(queue: JobQueue) -> None:
    submit(queue)
    assert queue.counts() == {state: int(state == State.QUEUED) for state in State}
