"""The job queue: every method is one transaction on the database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Unpack

from sqlalchemy import Connection, Engine, select

from omnifex_jobs.database.hints import Hints
from omnifex_jobs.database.opening import look_then_write, reading
from omnifex_jobs.database.schema import job
from omnifex_jobs.finding import find, traces
from omnifex_jobs.finding.origins import Origins
from omnifex_jobs.finding.search import Wanted, search
from omnifex_jobs.moving import beats, claims, finish, reports, requests, rescue, staging, workers
from omnifex_jobs.moving.batches import Batches
from omnifex_jobs.moving.beats import Stop
from omnifex_jobs.moving.clock import LeaseWatch
from omnifex_jobs.moving.moves import record
from omnifex_jobs.moving.submit import submit_all
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
    Wish,
    Worker,
)
from omnifex_jobs.states import State
from omnifex_jobs.upkeep.rules import Rules
from omnifex_jobs.upkeep.schedules import Schedules


class JobQueue:
    """Safe to share between threads; each process opens its own. Idle polls take no write lock.

    `kept` tells how much of a job's work outlives its worker, in bytes of its journal: a job that
    kept more than before its last crash got further.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        watch: LeaseWatch | None = None,
        kept: Callable[[str], int] = lambda job_id: 0,
    ) -> None:
        self._engine, self._kept = engine, kept
        self._watch = watch or LeaseWatch()
        self._found_last = False  # by a claim: then there is likely more
        self.rules = Rules(engine)
        self.origins = Origins(engine)
        self.schedules = Schedules(engine)
        self.batches = Batches(engine)
        self.hints = Hints(engine)

    # Users

    def submit(self, recipe: Recipe, *, modality: str, model: str, **options: Any) -> Job:
        """Writes a job; the options are the other fields of Submission.

        It waits (`blocked`) for `parents`, and does what `on_failure` says if one of them is lost.
        A known `idempotency_key` gives back that key's job, and so does a `unique_key` whose job
        has not ended.
        """
        return self.submit_many([Submission(recipe, modality, model, **options)])[0]

    def submit_many(self, submissions: Iterable[Submission]) -> list[Job]:
        """All of them or none, in one transaction: far faster than one by one.

        Those that have an `id` may be parents of others among them, in any order.
        """
        asked = list(submissions)
        with self._engine.begin() as db:
            made = find.by_ids(db, submit_all(db, asked))
        self.hints.send()
        return made

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
        limit: int = 50,
        before: str | None = None,
        **wanted: Unpack[Wanted],
    ) -> list[Job]:
        """Jobs that match all that is given, newest first; `before` is the last page's last id."""
        with reading(self._engine) as db:
            return find.by_ids(db, search(db, wanted, limit, before))

    def known(self, idempotency_key: str) -> str | None:
        """The id of the job that has this key."""
        with reading(self._engine) as db:
            return db.scalar(select(job.c.id).where(job.c.idempotency_key == idempotency_key))

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
            beats.seen(db, worker_id)

    def gone(self, worker_id: str) -> None:
        """Marks a worker as ended; what it still holds is rescued without waiting for the lease."""
        with self._engine.begin() as db:
            workers.gone(db, worker_id)

    def workers(self) -> list[Worker]:
        """Workers that are not gone."""
        with reading(self._engine) as db:
            return workers.present(db)

    def claim(self, worker_id: str, **wish: Any) -> list[Claim]:
        """Takes queued jobs of the lowest rank; the wish is the fields of Wish.

        `limit` is how many, `modalities`, `queues` and `most_bytes` what the worker can take,
        `warm` the models that it has in memory; with `above` only jobs of a higher priority.
        """
        wanted = Wish(**wish)
        taken = look_then_write(
            self._engine,
            lambda db: claims.lanes_for(db, wanted),
            lambda db, lanes: claims.claim(db, worker_id, wanted, lanes),
            likely=self._found_last,
        )
        self._found_last = bool(taken)
        return taken or []

    def beat(
        self,
        worker_id: str,
        lease_s: float = 30,
        held: Collection[Claim] = (),
        status: Mapping[str, Any] | None = None,
    ) -> dict[str, Stop]:
        """Renews the claims in `held`, and says what the worker is at.

        Returns the ids of jobs it should stop, and why: a cancel was asked for, its time is over,
        or the claim is lost.
        """
        with self._engine.begin() as db:
            return beats.beat(db, worker_id, round(lease_s * 1000), held, status)

    def report(self, claim: Claim, said: Report) -> None:
        """Writes progress, notes, a preview and calls (the caller limits how often), or LostClaim.

        Progress never goes down.
        """
        with self._engine.begin() as db:
            reports.report(db, claim, said)

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
        environment: Mapping[str, Any] | None = None,
        *,
        then: Wish | None = None,
    ) -> list[Claim]:
        """Ends the job with its stored files and what it ran on, or LostClaim.

        `then` takes the next one in the same transaction, and so waits for the disk once, not
        twice; its token is this claim's `successor`.
        """
        with self._engine.begin() as db:
            finish.succeed(db, claim, artifacts, metrics or {}, environment)
            return claims.take_next(db, claim, then) if then else []

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

    def stop(self, claim: Claim, retry_after_s: float | None = None) -> State:
        """Ends an attempt that was told to stop, for the reason in the database, or LostClaim.

        A cancel, a timeout, a stall (tried again after the delay); without one it is released.
        """
        with self._engine.begin() as db:
            return finish.stop(db, claim, retry_after_s)

    def release(self, claim: Claim) -> None:
        """Gives the job back unfinished, without using up the attempt, or LostClaim."""
        with self._engine.begin() as db:
            finish.release(db, claim)

    def crashed(self, held: Collection[Claim], *, killed: bool = False) -> list[str]:
        """Takes back all jobs of a process that has died, by itself or `killed` from outside.

        Returns the ids of those that had not ended. They are suspects now, and each should have a
        process to itself. One that was alone when it died again and again, with no progress in
        between, has failed with code `poison`.
        """
        death = rescue.Death(alone=len(held) == 1, killed=killed)
        tokens = [token for claim in held for token in (claim.token, claim.successor)]
        with self._engine.begin() as db:
            return rescue.rescue(db, tokens, self._kept, death)

    def holds(self, claim: Claim) -> bool:
        """Whether the job is still this claim's."""
        with reading(self._engine) as db:
            wanted = select(job.c.id).where(*claims.HELD)
            return db.execute(wanted, claims.shown(claim)).first() is not None

    # Housekeeping, by any worker, every second or so

    def stage(self) -> int:
        """Queues jobs whose time or whose parents have come, and fails those that expired."""
        moved = look_then_write(
            self._engine, staging.anything_to_stage, lambda db, _: staging.stage(db)
        )
        return moved or 0

    def rescue(self) -> list[str]:
        """Takes jobs from workers that stopped beating; returns their ids.

        Each is queued again, or failed with code `lost_worker` when no attempt is left.
        """
        return look_then_write(self._engine, self._overdue, self._take_back) or []

    def _overdue(self, db: Connection) -> list[str]:
        return [*rescue.silent(db, self._watch), *rescue.endless(db, self._watch)]

    def _take_back(self, db: Connection, tokens: list[str]) -> list[str]:
        return rescue.rescue(db, tokens, self._kept)
