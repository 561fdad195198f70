"""The job queue: every method is one transaction on the database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, select

from omnifex_jobs import claims, find, finish, requests, traces, workers
from omnifex_jobs.clock import JumpWatch
from omnifex_jobs.database import now_ms, reading
from omnifex_jobs.moves import in_state, move, record, settle
from omnifex_jobs.recipe import Recipe
from omnifex_jobs.records import (
    Artifact,
    Attempt,
    Claim,
    Event,
    Job,
    JobError,
    Report,
    Submission,
    TracePart,
    Worker,
)
from omnifex_jobs.schema import job
from omnifex_jobs.states import BLOCKED, QUEUED, RUNNING, SCHEDULED, State
from omnifex_jobs.submit import submit


class JobQueue:
    """Safe to share between threads; each process opens its own. Idle polls take no write lock."""

    def __init__(self, engine: Engine, *, watch: JumpWatch | None = None) -> None:
        self._engine = engine
        self._watch = watch or JumpWatch()

    # Users

    def submit(
        self,
        recipe: Recipe,
        *,
        modality: str,
        model: str,
        priority: int = 0,
        run_at: int | None = None,
        parents: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        inputs: Sequence[Artifact] = (),
        max_attempts: int = 3,
        deadline_at: int | None = None,
    ) -> Job:
        """Writes a job; higher `priority` runs first, `run_at` and `deadline_at` are epoch ms.

        It waits (`blocked`) for `parents`, and fails with code `dependency` if one of them does.
        A known `idempotency_key` gives back that key's job.
        """
        submission = Submission(
            recipe,
            modality,
            model,
            priority,
            run_at,
            parents,
            metadata or {},
            idempotency_key,
            inputs,
            max_attempts,
            deadline_at,
        )
        return self.submit_many([submission])[0]

    def submit_many(self, submissions: Iterable[Submission]) -> list[Job]:
        """All of them or none, in one transaction: far faster than one by one."""
        with self._engine.begin() as db:
            ids = [submit(db, submission) for submission in submissions]
            return find.by_ids(db, ids)

    def cancel(self, job_id: str, reason: str = "") -> Job:
        """Ends a waiting job now; asks a running one to stop (`cancel_requested`)."""
        with self._engine.begin() as db:
            return requests.cancel(db, job_id, reason)

    def retry(self, job_id: str) -> Job:
        """Runs a failed or canceled job again with a new attempt budget, or NotRetryable."""
        with self._engine.begin() as db:
            return requests.retry(db, job_id)

    # Readers

    def get(self, job_id: str) -> Job:
        """The job, or JobNotFound."""
        with reading(self._engine) as db:
            return find.get(db, job_id)

    def find(
        self,
        *,
        state: str | None = None,
        modality: str | None = None,
        model: str | None = None,
        text: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[Job]:
        """Jobs that match all that is given, newest first; `before` is the last page's last id."""
        wanted = find.matching(state, modality, model, text, before)
        with reading(self._engine) as db:
            return find.load(db, *wanted, limit=limit)

    def events(
        self, job_id: str | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[Event]:
        """Events after sequence number `after`, of one job or of all."""
        with reading(self._engine, one_moment=job_id is not None) as db:
            return find.events(db, job_id, after, limit)

    def over(self, job_ids: Collection[str]) -> set[str]:
        """Those of the jobs that have ended, or are not known."""
        with reading(self._engine) as db:
            return find.over(db, job_ids)

    def attempts(self, job_id: str) -> list[Attempt]:
        """Every claim the job had: who, when, and what came of it."""
        with reading(self._engine) as db:
            return find.attempts(db, job_id)

    def trace(self, job_id: str) -> list[TracePart]:
        """The component calls of a job, as far as they are written; or JobNotFound."""
        with reading(self._engine) as db:
            return traces.read(db, job_id)

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        with reading(self._engine) as db:
            return find.counts(db)

    # Workers

    def register(self, *, devices: Sequence[str] = (), version: str = "") -> str:
        """Writes this process down as a worker; returns its new id."""
        with self._engine.begin() as db:
            return workers.register(db, devices, version)

    def seen(self, worker_id: str) -> None:
        """Says that the worker lives; `beat` says it too."""
        with self._engine.begin() as db:
            workers.seen(db, worker_id)

    def gone(self, worker_id: str) -> None:
        """Marks a worker as ended; what it still holds is rescued without waiting for the lease."""
        with self._engine.begin() as db:
            workers.gone(db, worker_id)

    def workers(self) -> list[Worker]:
        """Workers that are not gone."""
        with reading(self._engine) as db:
            return workers.present(db)

    def claim(
        self,
        worker_id: str,
        *,
        lease_s: float = 30,
        limit: int = 1,
        modalities: Collection[str] | None = None,
        above: int | None = None,
        oldest: bool = False,
    ) -> list[Claim]:
        """Takes up to `limit` queued jobs, highest priority first, then oldest.

        With `above` only those of a higher priority; with `oldest` the oldest whatever theirs is.
        """
        if not self._any(*claims.claimable(modalities, above)):
            return []
        lease_ms = round(lease_s * 1000)
        with self._engine.begin() as db:
            return claims.claim(db, worker_id, lease_ms, limit, modalities, above, oldest)

    def beat(
        self,
        worker_id: str,
        lease_s: float = 30,
        held: Iterable[Claim] = (),
        status: Mapping[str, Any] | None = None,
    ) -> set[str]:
        """Renews all leases of the worker, and says what it is at.

        Returns the ids of jobs it should stop: cancel was asked for, or a claim in `held` is lost.
        """
        with self._engine.begin() as db:
            return claims.beat(db, worker_id, round(lease_s * 1000), held, status)

    def report(self, claim: Claim, said: Report) -> None:
        """Writes progress, notes, a preview and calls (the caller limits how often), or LostClaim.

        Progress never goes down.
        """
        with self._engine.begin() as db:
            claims.report(db, claim, said)

    def event(self, of: Claim | str, kind: str, payload: Mapping[str, Any]) -> None:
        """Appends an event of the caller's own kind, for a held claim or a job id."""
        assert kind not in list(State), f"{kind!r} is written by the queue itself"
        with self._engine.begin() as db:
            found = claims.require(db, of).id if isinstance(of, Claim) else find.lock(db, of)
            record(db, [found], kind, payload)

    def succeed(
        self,
        claim: Claim,
        artifacts: Sequence[Artifact] = (),
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Ends the job with its stored files, or LostClaim."""
        with self._engine.begin() as db:
            finish.succeed(db, claim, artifacts, metrics or {})

    def fail(self, claim: Claim, error: JobError, retry_after_s: float | None = None) -> State:
        """Ends the attempt, or LostClaim; returns `scheduled`, `failed` or `canceled`.

        With a delay and attempts left, the job is tried again; without, it has failed.
        """
        with self._engine.begin() as db:
            return finish.fail(db, claim, error, retry_after_s)

    def canceled(self, claim: Claim) -> None:
        """Ends a job that was stopped on request, or LostClaim."""
        with self._engine.begin() as db:
            finish.canceled(db, claim)

    def release(self, claim: Claim) -> None:
        """Gives the job back unfinished, without using up the attempt, or LostClaim."""
        with self._engine.begin() as db:
            finish.release(db, claim)

    def holds(self, claim: Claim) -> bool:
        """Whether the job is still this claim's."""
        return self._any(claims.holds(claim))

    # Housekeeping, by any worker, every second or so

    def stage(self) -> int:
        """Queues scheduled jobs whose time has come and blocked ones whose parents are done."""
        due = job.c.run_at <= now_ms()
        if not self._any(in_state(BLOCKED)) and not self._any(in_state(SCHEDULED), due):
            return 0
        with self._engine.begin() as db:
            return len(move(db, "stage", SCHEDULED, QUEUED, due)) + settle(db)

    def rescue(self) -> list[str]:
        """Takes jobs from workers that stopped beating; returns their ids.

        Each is queued again, or failed with code `lost_worker` when no attempt is left.
        """
        overdue = (in_state(RUNNING), job.c.lease_until < now_ms())
        if not self._watch.trusted() or not self._any(*overdue):
            return []
        with self._engine.begin() as db:
            return finish.rescue(db)

    def _any(self, *where: Any) -> bool:
        with reading(self._engine) as db:
            return _exists(db, *where)


def _exists(db: Connection, *where: Any) -> bool:
    return db.execute(select(job.c.id).where(*where).limit(1)).first() is not None
