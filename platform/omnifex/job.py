"""A job in the hands of its user; all that is asked of it is read from the database at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from omnifex import follow
from omnifex.artifact import Artifact
from omnifex.errors import JobCanceled, JobFailed, OmnifexError
from omnifex.home import Home
from omnifex.lineage import Lineage
from omnifex.presence import served
from omnifex.trace import Trace, trace_of
from omnifex_jobs import Event, JobError, Progress, State
from omnifex_jobs import Job as Record

POLL_S = 0.05  # how soon an end in another process is seen


class StillRunning(OmnifexError, TimeoutError):
    """The time to wait for a result is over; the job goes on."""

    code = "still_running"

    def __init__(self, record: Record, timeout: float, home: Home) -> None:
        way_out = "wait longer or cancel it"
        if not served(home.queue):
            way_out = f"no worker serves this home, start `omnifex worker --home {home.folder}`"
        super().__init__(
            f"job {record.id} is {record.state} ({record.progress.value:.0%}) after "
            f"{timeout:g} s; {way_out}."
        )


class Job:
    """A handle on one job; it can be made anew from the id at any time."""

    def __init__(self, home: Home, job_id: str) -> None:
        self.home = home
        self.id = job_id

    def __repr__(self) -> str:
        record = self.record
        return f"<Job {self.id} {record.modality} {record.state} {record.progress.value:.0%}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    # What it is

    @property
    def record(self) -> Record:
        """All of the job as it is now; take it once to see several things at one moment."""
        return self.home.queue.get(self.id)

    @property
    def modality(self) -> str:
        return self.record.modality

    @property
    def model(self) -> str:
        return self.record.model

    @property
    def request(self) -> Mapping[str, Any]:
        """What was asked, with all defaults and the seed."""
        request: Mapping[str, Any] = self.record.recipe["request"]
        return request

    @property
    def seed(self) -> int:
        return int(self.request["seed"])

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.record.metadata

    # How it is

    @property
    def status(self) -> State:
        """`blocked`, `scheduled`, `queued`, `running`, `succeeded`, `failed` or `canceled`."""
        return self.record.state

    @property
    def done(self) -> bool:
        """Whether it has succeeded, failed or been canceled."""
        return self.record.final

    @property
    def progress(self) -> Progress:
        """`value` from 0 to 1, `stage`, `step` of `steps`, `eta` in seconds."""
        return self.record.progress

    @property
    def error(self) -> JobError | None:
        """Why it failed or was canceled: `code`, `message`, `retryable`."""
        return self.record.error

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Seconds: `queue_time`, `load_time`, `predict_time`, `total_time`."""
        return self.record.metrics

    @property
    def timings(self) -> Mapping[str, Mapping[str, float]]:
        """Seconds of its last attempt in each of its `stages`, and in each of its `components`."""
        kept = self.metrics
        return {
            "stages": kept.get("stage_seconds", {}),
            "components": kept.get("component_seconds", {}),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What its user should know, such as words that were not understood."""
        return follow.notes(self.home.queue, self.id)

    @property
    def rewritten_prompt(self) -> str | None:
        """The prompt as a language model wrote it out; None where none was asked, or not yet."""
        texts = (file.meta.get("rewritten_prompt") for file in self.artifacts)
        return next(filter(None, texts), None)

    @property
    def preview(self) -> bytes | None:
        """What it has so far, as a WebP picture, while it runs; None where there is none (yet)."""
        return follow.preview(self.home.queue, self.id)

    def trace(self) -> Trace:
        """The component calls it has made; those of a running job are a few seconds behind."""
        return trace_of(self.home.queue, self.id)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The files it made: outputs, then previews."""
        return files_of(self.home, self.record, "output", "preview")

    @property
    def inputs(self) -> tuple[Artifact, ...]:
        """The files that it was given."""
        return files_of(self.home, self.record, "input")

    def parents(self) -> tuple[Job, ...]:
        """The jobs that it came from: it waited for them, took their files, or repeats them."""
        edges = self.home.queue.origins.parents(self.id)
        return tuple(Job(self.home, one) for one in dict.fromkeys(edge.parent for edge in edges))

    def children(self) -> tuple[Job, ...]:
        """The jobs that came of it."""
        edges = self.home.queue.origins.children(self.id)
        return tuple(Job(self.home, one) for one in dict.fromkeys(edge.child for edge in edges))

    def lineage(self) -> Lineage:
        """All that it came from and all that came of it, to be looked at or drawn."""
        return Lineage(self.id, self.home.queue.origins.lineage(self.id))

    @property
    def owner(self) -> str:
        """Whose it is; "" is nobody in particular."""
        return self.record.owner

    @property
    def tags(self) -> tuple[str, ...]:
        return self.record.tags

    @property
    def created_at(self) -> datetime:
        return moment(self.record.created_at)

    @property
    def started_at(self) -> datetime | None:
        """When its latest attempt began."""
        started = self.record.started_at
        return None if started is None else moment(started)

    @property
    def completed_at(self) -> datetime | None:
        completed = self.record.completed_at
        return None if completed is None else moment(completed)

    # What can be done with it

    def result(self, timeout: float | None = None) -> tuple[Artifact, ...]:
        """Wait for the outputs; raises JobFailed, JobCanceled, or StillRunning after `timeout` s.

        StillRunning is a TimeoutError.
        """
        return outputs(self.home, self.wait(timeout))

    def wait(self, timeout: float | None = None) -> Record:
        """Wait for the end, whatever it is; StillRunning after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            heard = self.home.news.count
            record = self.record
            if record.final:
                return record
            if deadline is not None and time.monotonic() >= deadline:
                raise StillRunning(record, timeout or 0, self.home)
            self.home.news.wait(heard, pause_until(deadline))

    def events(self, after: int = 0) -> Iterator[Event]:
        """Each event as it comes, until the job ends; go on later with `after=event.seq`."""
        while True:
            heard = self.home.news.count
            final = self.done  # asked before the events are read, so that none is missed
            for event in follow.so_far(self.home.queue, self.id, after):
                after = event.seq
                yield event
            if final:
                return
            self.home.news.wait(heard, POLL_S)

    def cancel(self, reason: str = "") -> State:
        """End it now if it waits, after the call that it is in if it runs; returns its status.

        A worker of this process is told before this returns, another one learns it with its beat.
        """
        state = self.home.queue.cancel(self.id, reason).state
        for tell in self.home.on_cancel:
            tell(self.id)
        self.home.news.ring()
        return state

    def retry(self) -> Job:
        """Run a failed or canceled job again under the same id; NotRetryable for any other."""
        self.home.queue.retry(self.id)
        self.home.news.ring()
        return self

    def pin(self, pinned: bool = True) -> Job:
        """Keep it whatever old jobs are forgotten; it has the tag `pinned` then."""
        self.home.queue.rules.pin(self.id, pinned)
        return self


def outputs(home: Home, record: Record) -> tuple[Artifact, ...]:
    """The outputs of a job that has ended, or why there are none."""
    if record.state is State.SUCCEEDED:
        return files_of(home, record, "output")
    error = record.error or JobError(str(record.state), "no reason was recorded")
    if record.state is State.CANCELED:
        raise JobCanceled(record.id, error.message.rstrip("."))
    raise JobFailed(record.id, error.code, error.message)


def files_of(home: Home, record: Record, *roles: str) -> tuple[Artifact, ...]:
    """The job's files in these roles, in this order."""
    files = (file for role in roles for file in record.artifacts if file.role == role)
    return tuple(Artifact(file, home, record.id) for file in files)


def pause_until(deadline: float | None) -> float:
    return POLL_S if deadline is None else max(0.0, min(POLL_S, deadline - time.monotonic()))


def moment(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
