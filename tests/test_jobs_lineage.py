"""Dependencies and lineage in the database, on SQLite and on PostgreSQL."""

from dataclasses import replace
from typing import Any

import pytest
from jobs_cases import artifact, submit

from omnifex_jobs import Edge, Job, JobError, JobQueue, Recipe, State, Submission, new_id
from omnifex_jobs.errors import DependencyCycle, ForeignJob, JobNotFound, NotRetryable


def wanted(prompt: str = "red", **fields: Any) -> Submission:
    return Submission(Recipe({"prompt": prompt}), "image", "prism", **fields)


def one(queue: JobQueue, **fields: Any) -> Job:
    return queue.submit_many([wanted(**fields)])[0]


def fail(queue: JobQueue, job_id: str) -> None:
    (claim,) = [claim for claim in queue.claim("w") if claim.job.id == job_id]
    queue.fail(claim, JobError("boom", "It broke."))


def test_a_graph_is_written_at_once_in_any_order(queue: JobQueue) -> None:
    first, second, third = (new_id() for _ in range(3))
    asked = [
        wanted("third", id=third, parents=[first, second]),
        wanted("second", id=second, parents=[first]),
        wanted("first", id=first),
    ]
    jobs = queue.submit_many(asked)
    assert [job.id for job in jobs] == [third, second, first]
    assert [job.state for job in jobs] == [State.BLOCKED, State.BLOCKED, State.QUEUED]
    assert jobs[0].parents == tuple(sorted([first, second]))


def test_a_ring_is_refused_and_nothing_written(queue: JobQueue) -> None:
    ids = [new_id() for _ in range(3)]
    ring = [wanted(id=one, parents=[ids[place - 1]]) for place, one in enumerate(ids)]
    with pytest.raises(DependencyCycle, match="in a ring") as caught:
        queue.submit_many([wanted("sound"), *ring])
    assert all(one in str(caught.value) for one in ids)
    with pytest.raises(DependencyCycle, match=f"'{ids[0]}' needs '{ids[0]}'"):
        queue.submit_many([wanted(id=ids[0], parents=[ids[0]])])
    assert queue.find() == []


def test_a_parent_that_is_not_there_undoes_the_whole_graph(queue: JobQueue) -> None:
    with pytest.raises(JobNotFound, match="No job 'nowhere'"):
        queue.submit_many([wanted("sound"), wanted(parents=["nowhere"])])
    assert queue.find() == []


def test_a_parent_of_somebody_else_is_refused(queue: JobQueue) -> None:
    hers, nobodys = one(queue, owner="ann"), one(queue)
    with pytest.raises(ForeignJob, match=f"{hers.id}' belongs to somebody else than 'bob'"):
        one(queue, owner="bob", parents=[hers.id])
    assert one(queue, owner="ann", parents=[hers.id, nobodys.id]).state is State.BLOCKED
    assert one(queue, parents=[hers.id]).owner == ""  # nobody in particular is the operator


@pytest.mark.parametrize(
    ("rule", "state"),
    [("fail", State.FAILED), ("cancel", State.CANCELED), ("run", State.QUEUED)],
)
def test_the_children_of_a_lost_job_follow_their_rule(
    queue: JobQueue, rule: str, state: State
) -> None:
    parent = one(queue)
    child = one(queue, parents=[parent.id], on_failure=rule)
    grandchild = one(queue, parents=[child.id])
    fail(queue, parent.id)
    assert queue.get(child.id).state is state
    assert queue.get(grandchild.id).state is (State.BLOCKED if rule == "run" else State.FAILED)
    if rule != "run":
        assert queue.get(child.id).error == JobError(
            "dependency", f"Job {parent.id}, which this one needs, failed."
        )
        with pytest.raises(NotRetryable, match="retry that one first"):
            queue.retry(child.id)
    assert one(queue, parents=[parent.id], on_failure=rule).state is state


def test_one_that_runs_without_a_lost_parent_waits_for_the_others(queue: JobQueue) -> None:
    lost, other = one(queue), one(queue)
    child = one(queue, parents=[lost.id, other.id], on_failure="run")
    queue.cancel(lost.id)
    assert queue.get(child.id).state is State.BLOCKED
    queue.succeed(queue.claim("w")[0])
    assert queue.get(child.id).state is State.QUEUED
    queue.cancel(child.id)
    assert queue.retry(child.id).state is State.QUEUED


def test_a_parent_that_is_retried_frees_nothing_twice(queue: JobQueue) -> None:
    parent = one(queue)
    child = one(queue, parents=[parent.id], on_failure="cancel")
    fail(queue, parent.id)
    queue.retry(parent.id)
    assert queue.retry(child.id).state is State.BLOCKED
    queue.succeed(queue.claim("w")[0])
    assert queue.get(child.id).state is State.QUEUED


def test_a_known_key_stands_for_its_job_in_a_graph(queue: JobQueue) -> None:
    first, other = new_id(), new_id()
    made = one(queue, id=first, idempotency_key="k")
    child = queue.submit_many(
        [
            wanted(id=other, idempotency_key="k"),
            wanted("child", parents=[other]),
        ]
    )[1]
    assert child.parents == (made.id,)


def test_lineage_is_known_both_ways(queue: JobQueue) -> None:
    picture = one(queue)
    (claim,) = queue.claim("w")
    queue.succeed(claim, [artifact("a")])
    clip = one(queue, parents=[picture.id], on_failure="run")
    taker = one(queue, inputs=[artifact("a", role="input")])
    again = one(queue, source="replay", source_id=picture.id)
    other = one(queue, source="fork", source_id=clip.id)
    stranger = one(queue)
    edges = {
        Edge(picture.id, clip.id, "waits", "run"),
        Edge(picture.id, taker.id, "takes"),
        Edge(picture.id, again.id, "replay"),
    }
    assert set(queue.origins.children(picture.id)) == edges
    assert queue.origins.parents(other.id) == [Edge(clip.id, other.id, "fork")]
    assert queue.origins.parents(taker.id) == [Edge(picture.id, taker.id, "takes")]
    assert queue.origins.makers("a" * 64) == [picture.id]
    assert queue.origins.users("a" * 64) == [taker.id]
    found = queue.origins.lineage(picture.id)
    assert {job.id for job in found.jobs} == {picture.id, clip.id, taker.id, again.id, other.id}
    assert set(found.edges) == {*edges, Edge(clip.id, other.id, "fork")}
    assert found.claims == {picture.id: 1}
    assert not found.cut
    assert [job.id for job in queue.origins.lineage(other.id).jobs] == [
        picture.id,
        clip.id,
        other.id,
    ]
    assert queue.origins.lineage(stranger.id).edges == ()
    with pytest.raises(JobNotFound):
        queue.origins.lineage("nowhere")


def test_a_long_lineage_is_cut_and_says_so(queue: JobQueue) -> None:
    family = [submit(queue)]
    for _ in range(30):
        family.append(submit(queue, parents=[family[-1].id]))
    found = queue.origins.lineage(family[10].id, limit=12)
    assert found.cut
    assert len(found.jobs) == 12
    assert family[0].id in {job.id for job in found.jobs}
    assert not queue.origins.lineage(family[10].id).cut
    assert len(queue.origins.lineage(family[10].id).edges) == 30


def test_a_file_made_twice_came_from_the_first(queue: JobQueue) -> None:
    first, second = one(queue), one(queue)
    for claim in queue.claim("w", limit=2):
        queue.succeed(claim, [artifact("a"), replace(artifact("b"), role="preview")])
    taker = one(queue, inputs=[artifact("a", role="input"), artifact("b", role="input")])
    assert queue.origins.parents(taker.id) == [Edge(first.id, taker.id, "takes")]
    assert queue.origins.makers("a" * 64) == [first.id, second.id]
    assert queue.origins.children(second.id) == []
