"""The life of a job: seven states and every move between them; docs/jobs.md draws this table."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a job is; the words of the database, the API and the CLI alike."""

    BLOCKED = "blocked"  # waits for parents
    SCHEDULED = "scheduled"  # waits for a time or a retry
    QUEUED = "queued"  # may be claimed
    RUNNING = "running"  # one claim holds it
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class Move(NamedTuple):
    """One arrow: `verb` is the method of JobQueue that makes it, `when` its condition."""

    source: State
    target: State
    verb: str
    when: str


BLOCKED, SCHEDULED, QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELED = State

WAITING = (BLOCKED, SCHEDULED, QUEUED)
FINAL = (SUCCEEDED, FAILED, CANCELED)
LOST = (FAILED, CANCELED)

FAIL, CANCEL, RUN = RULES = ("fail", "cancel", "run")
"""What becomes of a job when a parent of it is lost."""

MOVES = (
    Move(BLOCKED, QUEUED, "stage", "all parents are done"),
    Move(BLOCKED, SCHEDULED, "stage", "all parents are done, but its time has not come"),
    Move(BLOCKED, FAILED, "stage", "a parent was lost, and its rule is `fail` (code `dependency`)"),
    Move(BLOCKED, CANCELED, "stage", "a parent was lost, and its rule is `cancel`"),
    Move(SCHEDULED, QUEUED, "stage", "its time has come"),
    Move(SCHEDULED, FAILED, "stage", "it expired (code `expired`)"),
    Move(QUEUED, FAILED, "stage", "it expired before it began (code `expired`)"),
    Move(QUEUED, RUNNING, "claim", "a worker takes it and gets a claim token"),
    Move(RUNNING, SUCCEEDED, "succeed", "the artifacts are stored; wins over a late cancel"),
    Move(RUNNING, SCHEDULED, "fail", "attempts remain and a delay is given"),
    Move(RUNNING, FAILED, "fail", "no attempt remains, or a retry cannot help"),
    Move(RUNNING, CANCELED, "fail", "a cancel was asked for: cancel wins over retry"),
    Move(RUNNING, CANCELED, "canceled", "the worker stopped it"),
    Move(RUNNING, QUEUED, "release", "the worker shuts down; the attempt is given back"),
    Move(RUNNING, CANCELED, "release", "a cancel was asked for"),
    Move(RUNNING, SCHEDULED, "stop", "no progress for too long (code `stalled`), attempts remain"),
    Move(RUNNING, FAILED, "stop", "its time was over (codes `timeout`, `stalled`)"),
    Move(RUNNING, CANCELED, "stop", "a cancel was asked for"),
    Move(RUNNING, QUEUED, "stop", "nobody asked but the worker: the attempt is given back"),
    Move(RUNNING, QUEUED, "rescue", "the lease ran out and attempts remain"),
    Move(
        RUNNING,
        FAILED,
        "rescue",
        "the lease ran out on the last attempt (error code `lost_worker`), or its process "
        "died again with no progress between (`poison`), or a timeout was not kept (`timeout`)",
    ),
    Move(RUNNING, CANCELED, "rescue", "the lease ran out and a cancel was asked for"),
    Move(BLOCKED, CANCELED, "cancel", "the user asks"),
    Move(SCHEDULED, CANCELED, "cancel", "the user asks"),
    Move(QUEUED, CANCELED, "cancel", "the user asks"),
    Move(FAILED, QUEUED, "retry", "the user asks; a new attempt budget"),
    Move(CANCELED, QUEUED, "retry", "the user asks; a new attempt budget"),
    Move(FAILED, BLOCKED, "retry", "the user asks, and parents are not done yet"),
    Move(CANCELED, BLOCKED, "retry", "the user asks, and parents are not done yet"),
)

ALLOWED = frozenset((move.source, move.target, move.verb) for move in MOVES)
