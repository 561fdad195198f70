"""What the queue should do, in plain Python: the model that the real one is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field

from omnifex_jobs import State
from omnifex_jobs.moving.rescue import MOST_CRASHES, MOST_KILLS

LOST = (State.FAILED, State.CANCELED)
FINAL = (State.SUCCEEDED, *LOST)
WAITING = (State.BLOCKED, State.SCHEDULED, State.QUEUED)


@dataclass
class ModelJob:
    number: int  # in the order of submission
    state: State
    priority: int
    queue: str
    max_attempts: int
    parents: list[ModelJob] = field(default_factory=list)
    unique_key: str | None = None
    later: bool = False  # its time has not come
    attempt: int = 0
    crashes: int = 0
    crash_progress: float = -1.0
    progress: float = 0.0
    cancel_asked: bool = False
    holder: object = None  # the claim that holds it


class Model:
    """All jobs, and what each call makes of them."""

    def __init__(self) -> None:
        self.jobs: dict[str, ModelJob] = {}
        self.paused: set[str] = set()

    def claimable(self) -> list[ModelJob]:
        """Queued jobs of queues that are open, in the order in which they are taken."""
        free = [
            job
            for job in self.jobs.values()
            if job.state is State.QUEUED and job.queue not in self.paused
        ]
        return sorted(free, key=lambda job: (-job.priority, job.number))

    def twin(self, key: str | None) -> str | None:
        """The job of this unique key that has not ended."""
        for job_id, job in self.jobs.items():
            if key is not None and job.unique_key == key and job.state not in FINAL:
                return job_id
        return None

    def take(self, job: ModelJob, claim: object) -> None:
        job.state, job.holder = State.RUNNING, claim
        job.attempt += 1

    def leave(self, job: ModelJob, state: State) -> None:
        """Out of `running`, or out of waiting: children follow."""
        job.state, job.holder = state, None
        if state in FINAL:
            self.settle()

    def fail(self, job: ModelJob, *, again: bool) -> None:
        if job.cancel_asked:
            self.leave(job, State.CANCELED)
        elif again and job.attempt < job.max_attempts:
            job.later = True
            self.leave(job, State.SCHEDULED)
        else:
            self.leave(job, State.FAILED)

    def give_back(self, job: ModelJob) -> None:
        if job.cancel_asked:
            self.leave(job, State.CANCELED)
        else:
            job.attempt -= 1
            self.leave(job, State.QUEUED)

    def lose(self, job: ModelJob, *, died: bool = False, killed: bool = False) -> None:
        """Its worker fell silent, or its process was seen to have died, with no other job in it."""
        if job.cancel_asked:
            self.leave(job, State.CANCELED)
            return
        further = job.progress > max(job.crash_progress, 0.0)
        job.crashes = (0 if further else job.crashes) + died
        job.crash_progress = job.progress
        poison = died and job.crashes >= (MOST_KILLS if killed else MOST_CRASHES)
        if poison or not (further or job.attempt < job.max_attempts):
            self.leave(job, State.FAILED)
            return
        job.attempt -= further
        self.leave(job, State.QUEUED)

    def cancel(self, job: ModelJob) -> None:
        if job.state in WAITING:
            self.leave(job, State.CANCELED)
        elif job.state is State.RUNNING:
            job.cancel_asked = True

    def retryable(self, job: ModelJob) -> bool:
        lost_parent = any(parent.state in LOST for parent in job.parents)
        return job.state in LOST and not lost_parent and self.twin(job.unique_key) is None

    def retry(self, job: ModelJob) -> None:
        done = all(parent.state is State.SUCCEEDED for parent in job.parents)
        job.state = State.QUEUED if done else State.BLOCKED
        job.attempt, job.crashes, job.crash_progress, job.progress = 0, 0, -1.0, 0.0
        job.cancel_asked = job.later = False

    def come_due(self) -> None:
        """Everything whose time had not come is due now, and staged."""
        for job in self.jobs.values():
            job.later = False
            if job.state is State.SCHEDULED:
                job.state = State.QUEUED
        self.settle()

    def settle(self) -> None:
        """Blocked jobs whose parents are done start; those that lost one fail."""
        for job in self.jobs.values():  # parents come before their children
            if job.state is not State.BLOCKED:
                continue
            if any(parent.state in LOST for parent in job.parents):
                job.state = State.FAILED
            elif all(parent.state is State.SUCCEEDED for parent in job.parents):
                job.state = State.SCHEDULED if job.later else State.QUEUED
