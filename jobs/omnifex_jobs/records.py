"""What the queue hands out: frozen values, cut loose from the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from ulid import ULID

from omnifex_jobs.recipe import Recipe
from omnifex_jobs.states import FAIL, FINAL, State


@dataclass(frozen=True)
class Progress:
    """How far a job is; `value` in 0..1, `eta` in seconds."""

    value: float = 0.0
    stage: str = ""
    step: int = 0
    steps: int = 0
    eta: float | None = None


@dataclass(frozen=True)
class JobError:
    """Why a job failed or was canceled; `code` is stable, `message` one sentence for the user."""

    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True)
class Artifact:
    """A stored file as one job uses it; the same bytes may serve other jobs under another name."""

    sha256: str
    media_type: str
    size: int  # bytes
    role: str = "output"  # "output", "preview" or "input"
    position: int = 0  # order within its role
    name: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A job as it was when read; times are epoch milliseconds."""

    id: str  # ULID: sorts by age
    state: State
    modality: str
    model: str
    recipe: Mapping[str, Any]
    recipe_hash: str
    priority: int  # higher first
    parents: tuple[str, ...]
    metadata: Mapping[str, Any]
    created_at: int
    run_at: int | None
    started_at: int | None  # of the latest attempt
    completed_at: int | None
    progress: Progress
    error: JobError | None
    metrics: Mapping[str, Any]
    attempt: int
    max_attempts: int
    worker: str | None  # who holds it, or held it last
    cancel_requested: bool
    artifacts: tuple[Artifact, ...]
    deadline_at: int | None = None  # when it should be done
    owner: str = ""
    queue: str = "default"
    batch: str | None = None
    unique_key: str | None = None
    shape: str | None = None
    expected_ms: int = 0  # 0 where nothing is known
    need_bytes: int | None = None
    timeout_ms: int | None = None  # of each attempt
    stall_ms: int | None = None  # how long it may make no progress
    expires_at: int | None = None  # when it is not worth beginning any more
    crash_count: int = 0
    suspect: bool = False  # it was there when a process died: it has the next one to itself
    tags: tuple[str, ...] = ()
    source: str | None = None  # "replay" or "fork", of the job `source_id`
    source_id: str | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)  # what it ran on
    rank: int = 0  # its place among those that wait, the lowest first

    @property
    def final(self) -> bool:
        return self.state in FINAL


@dataclass(frozen=True)
class Claim:
    """The right to run one job once; every write of the worker shows the token."""

    job: Job
    token: str
    attempt: int

    @property
    def successor(self) -> str:
        """The token of a claim that is made as this one ends: known before anybody has told it."""
        return sha256(self.token.encode()).hexdigest()[: len(self.token)]


@dataclass(frozen=True)
class Wish:
    """What a worker can take; None is no restriction."""

    lease_s: float = 30
    limit: int = 1
    modalities: Collection[str] | None = None
    queues: Collection[str] | None = None
    above: int | None = None  # only jobs of a higher priority
    warm: Collection[str] = ()  # models that are in memory
    most_bytes: int | None = None  # of the largest device: jobs known to need more are left
    suspects: bool = True  # else only jobs before the first that was there when a process died

    @property
    def choosy(self) -> bool:
        return bool(self.warm) or self.above is not None or not self.suspects


@dataclass(frozen=True)
class Attempt:
    """One claim of a job and what came of it; `outcome` is the verb that ended it."""

    job_id: str
    attempt: int
    worker: str
    started_at: int
    ended_at: int | None
    outcome: str | None
    error: JobError | None


@dataclass(frozen=True)
class Event:
    """Something that happened; by `seq` a reader can go on where it stopped."""

    seq: int  # grows over all jobs
    job_id: str
    kind: str  # a state's name at every move; "progress", "note", …
    payload: Mapping[str, Any]
    created_at: int


@dataclass(frozen=True)
class TracePart:
    """Component calls of one attempt, in their order, in the words of who wrote them."""

    attempt: int
    calls: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Report:
    """What a running job has to say at one moment, written down at once."""

    progress: Progress | None = None
    notes: Sequence[str] = ()
    preview: Mapping[str, Any] | None = None  # takes the place of the last one
    calls: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Worker:
    """A process that claims jobs; `gone_at` is set when it said goodbye."""

    id: str
    host: str
    pid: int
    devices: tuple[str, ...]
    version: str
    started_at: int
    seen_at: int
    gone_at: int | None
    status: Mapping[str, Any] | None = None  # what it does just now, as it last said


@dataclass(frozen=True)
class Submission:
    """One job to be; the arguments of `JobQueue.submit`, for `submit_many`."""

    recipe: Recipe
    modality: str
    model: str
    priority: int = 0
    run_at: int | None = None
    parents: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    inputs: Sequence[Artifact] = ()
    max_attempts: int = 3
    deadline_at: int | None = None
    owner: str = ""
    queue: str = "default"
    batch: str | None = None
    unique_key: str | None = None
    shape: str | None = None
    timeout_ms: int | None = None
    stall_ms: int | None = None
    expires_at: int | None = None
    id: str = ""  # of the caller's own making, by `new_id`, where another one is to name it
    on_failure: str = FAIL  # what becomes of it when a parent is lost: "fail", "cancel" or "run"
    tags: Sequence[str] = ()
    source: str | None = None
    source_id: str | None = None


def new_id() -> str:
    """A ULID: it sorts by age."""
    return str(ULID())


def plain(record: Progress | JobError) -> dict[str, Any]:
    """The record as JSON columns and event payloads hold it."""
    return asdict(record)
