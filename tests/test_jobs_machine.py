"""Any order of calls, by Hypothesis, on the model and on both databases: they must agree."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from jobs_cases import artifact
from queue_model import FINAL, Model, ModelJob

from omnifex_jobs import Claim, JobError, JobQueue, Progress, Recipe, Report, State, Wish
from omnifex_jobs.database.schema import metadata
from omnifex_jobs.errors import LostClaim, NotRetryable

QUEUES = st.sampled_from(["default", "night"])
WORKERS = st.sampled_from(["w", "v"])
LATER = round(time.time() * 1000) + 86_400_000
BOOM = JobError("boom", "It broke.", retryable=True)


class QueueMachine(RuleBasedStateMachine):
    """Each rule does the same to the queue and to the model; then their states are compared."""

    queue: JobQueue  # set by the test, empty at first

    jobs = Bundle("jobs")
    claims = Bundle("claims")  # also those that are lost or used up

    @initialize()
    def begin(self) -> None:
        self.model = Model()
        with self.queue._engine.begin() as db:
            for table in reversed(metadata.sorted_tables):
                db.execute(table.delete())

    @rule(
        target=jobs,
        priority=st.integers(-1, 1),
        queue=QUEUES,
        attempts=st.integers(1, 4),
        parents=st.lists(jobs, max_size=2, unique=True),
        later=st.booleans(),
        key=st.sampled_from([None, None, "one", "two"]),
    )
    def submit(
        self,
        priority: int,
        queue: str,
        attempts: int,
        parents: list[str],
        later: bool,
        key: str | None,
    ) -> str:
        made = self.queue.submit(
            Recipe({"prompt": "a red circle"}),
            modality="image",
            model="prism",
            priority=priority,
            queue=queue,
            max_attempts=attempts,
            parents=parents,
            run_at=LATER if later else None,
            unique_key=key,
        )
        if twin := self.model.twin(key):
            assert made.id == twin
            return twin
        state = State.BLOCKED if parents else State.SCHEDULED if later else State.QUEUED
        job = ModelJob(len(self.model.jobs), state, priority, queue, attempts)
        job.parents = [self.model.jobs[parent] for parent in parents]
        job.unique_key, job.later = key, later
        self.model.jobs[made.id] = job
        self.model.settle()
        time.sleep(0.002)  # the next one is younger by the clock too
        return made.id

    @rule(target=claims, worker=WORKERS, limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> Any:
        taken = self.queue.claim(worker, limit=limit)
        expected = self.model.claimable()[:limit]
        assert [self.model.jobs[claim.job.id] for claim in taken] == expected
        for claim in taken:
            self.model.take(self.model.jobs[claim.job.id], claim)
        return multiple(*taken)

    @rule(claim=claims)
    def succeed(self, claim: Claim) -> None:
        if job := self.held(claim, lambda: self.queue.succeed(claim, [artifact()])):
            self.model.leave(job, State.SUCCEEDED)

    @rule(target=claims, claim=claims)
    def succeed_and_take(self, claim: Claim) -> Any:
        taken: list[Claim] = []
        job = self.held(claim, lambda: taken.extend(self.queue.succeed(claim, then=Wish())))
        if job:
            self.model.leave(job, State.SUCCEEDED)
            expected = self.model.claimable()[:1]
            assert [self.model.jobs[one.job.id] for one in taken] == expected
        for one in taken:
            assert (one.token, one.job.worker) == (claim.successor, claim.job.worker)
            self.model.take(self.model.jobs[one.job.id], one)
        return multiple(*taken)

    @rule(claim=claims, again=st.booleans())
    def fail(self, claim: Claim, again: bool) -> None:
        delay = 86_400 if again else None
        if job := self.held(claim, lambda: self.queue.fail(claim, BOOM, delay)):
            self.model.fail(job, again=again)

    @rule(claim=claims)
    def release(self, claim: Claim) -> None:
        if job := self.held(claim, lambda: self.queue.release(claim)):
            self.model.give_back(job)

    @rule(claim=claims)
    def stop(self, claim: Claim) -> None:
        if job := self.held(claim, lambda: self.queue.stop(claim)):
            self.model.give_back(job)

    @rule(claim=claims)
    def canceled(self, claim: Claim) -> None:
        if job := self.held(claim, lambda: self.queue.canceled(claim)):
            self.model.leave(job, State.CANCELED)

    @rule(claim=claims, value=st.sampled_from([0.25, 0.5, 0.75]))
    def report(self, claim: Claim, value: float) -> None:
        if job := self.held(claim, lambda: self.queue.report(claim, Report(Progress(value)))):
            job.progress = max(job.progress, value)

    @rule(worker=WORKERS)
    def beat(self, worker: str) -> None:
        held = {
            job_id: job
            for job_id, job in self.model.jobs.items()
            if isinstance(job.holder, Claim) and job.holder.job.worker == worker
        }
        told = self.queue.beat(worker, 30, [job.holder for job in held.values()])  # type: ignore[misc]
        assert told.keys() == {job_id for job_id, job in held.items() if job.cancel_asked}

    @rule(claim=consumes(claims))
    def fall_silent(self, claim: Claim) -> None:
        with self.queue._engine.begin() as db:
            db.exec_driver_sql(
                f"UPDATE job SET lease_until = 0 WHERE claim_token = '{claim.token}'"
            )
        job = self.model.jobs[claim.job.id]
        held = job.holder is claim
        assert self.queue.rescue() == ([claim.job.id] if held else [])
        if held:
            self.model.lose(job)

    @rule(claim=consumes(claims), killed=st.booleans())
    def die(self, claim: Claim, killed: bool) -> None:
        """Its process; with the job, or the one that was taken in its place, if either runs."""
        held = [job for job in self.model.jobs.values() if self.of(job.holder, claim)]
        crashed = self.queue.crashed([claim], killed=killed)
        assert [self.model.jobs[job_id] for job_id in crashed] == held
        for job in held:
            self.model.lose(job, died=True, killed=killed)

    @staticmethod
    def of(holder: object, claim: Claim) -> bool:
        return isinstance(holder, Claim) and holder.token in (claim.token, claim.successor)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        self.queue.cancel(job_id)
        self.model.cancel(self.model.jobs[job_id])

    @rule(job_id=jobs)
    def retry(self, job_id: str) -> None:
        job = self.model.jobs[job_id]
        if self.model.retryable(job):
            self.queue.retry(job_id)
            self.model.retry(job)
        else:
            with pytest.raises(NotRetryable):
                self.queue.retry(job_id)

    @rule()
    def come_due(self) -> None:
        with self.queue._engine.begin() as db:
            db.exec_driver_sql(
                "UPDATE job SET run_at = 1, rank = rank - fair_at + created_at, "
                f"fair_at = created_at WHERE run_at = {LATER}"
            )
            db.exec_driver_sql("UPDATE job SET run_at = 1 WHERE run_at IS NOT NULL")
        self.queue.stage()
        self.model.come_due()

    @rule(name=QUEUES)
    def pause(self, name: str) -> None:
        self.queue.rules.pause(name)
        self.model.paused.add(name)

    @rule(name=QUEUES)
    def resume(self, name: str) -> None:
        self.queue.rules.resume(name)
        self.model.paused.discard(name)

    @invariant()
    def states_agree(self) -> None:
        for found in self.queue.find(limit=1000):
            job = self.model.jobs[found.id]
            assert (found.state, found.attempt) == (job.state, job.attempt), found.id
            assert (found.completed_at is not None) == (job.state in FINAL)
            assert found.crash_count == job.crashes

    def teardown(self) -> None:
        for job_id in getattr(self, "model", Model()).jobs:
            self.check_history(job_id)

    def check_history(self, job_id: str) -> None:
        """Each claim ended before the next began, and the last move is the state."""
        moves = [it.kind for it in self.queue.events(job_id) if it.kind in list(State)]
        assert moves[-1] == self.queue.get(job_id).state
        attempts = self.queue.attempts(job_id)
        assert [it.outcome is None for it in attempts[:-1]] == [False] * len(attempts[:-1])
        assert moves.count("succeeded") <= 1
        assert moves.count("running") == len(attempts)

    def held(self, claim: Claim, act: Callable[[], object]) -> ModelJob | None:
        """The job, if the claim holds it: then the act is done, and else it is refused."""
        job = self.model.jobs[claim.job.id]
        if job.holder is not claim:
            with pytest.raises(LostClaim):
                act()
            return None
        act()
        return job


@pytest.fixture
def machine(queue: JobQueue) -> type[QueueMachine]:
    return type("QueueMachine", (QueueMachine,), {"queue": queue})


def drive(machine: type[QueueMachine], examples: int, steps: int) -> None:
    unhurried = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=[Phase.generate],  # to shrink a history takes minutes
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=unhurried)


def test_the_queue_does_what_its_model_does(machine: type[QueueMachine]) -> None:
    drive(machine, examples=4, steps=25)


@pytest.mark.slow
def test_the_queue_does_what_its_model_does_at_length(machine: type[QueueMachine]) -> None:
    drive(machine, examples=150, steps=60)
