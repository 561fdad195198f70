"""One claimed job, from its recipe to its files."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from omnifex import follow
from omnifex.errors import Canceled
from omnifex.home import Home
from omnifex.modality import File
from omnifex.worker.durability import Durability
from omnifex.worker.failure import delay_after, job_error, retry_delay, unexpected
from omnifex.worker.preparation import prepare, taken
from omnifex_jobs import Artifact, Claim, JobsError, State
from omnifex_jobs.errors import LostClaim

if TYPE_CHECKING:
    from omnifex.engine.engine import Assignment, Engine, Outcome, RunningJob
    from omnifex.worker.engines import Engines
    from omnifex.worker.reporter import Reporter

FLUSH_S = 0.5  # between two reports of progress
PATIENCE_S = (0.1, 0.5, 1, 2, 4, 8, 15, 15, 15)  # between attempts to write down how the job ended

log = logging.getLogger("omnifex.worker")


class Run:
    """One attempt at one job, in a thread of its own beside the engine's."""

    def __init__(
        self, home: Home, claim: Claim, engines: Engines, succeed: Callable[..., None]
    ) -> None:
        self.claim = claim
        self._home, self._engines, self._succeed = home, engines, succeed
        self._durability = Durability(home, claim)
        self._stop = threading.Event()
        self._running: RunningJob | None = None
        self._taken: list[Artifact] = []
        self._environment: dict[str, Any] = {}
        self._told = 0  # the last event that plugins heard of

    def stop(self) -> None:
        """End at the next component call; what becomes of the job, the database knows."""
        self._stop.set()
        if running := self._running:
            running.cancel()

    def perform(self) -> None:
        """Prepare, generate, store, say so; whatever goes wrong ends this job alone."""
        try:
            self._told = self._before()
            self._deliver(self._generate())
        except Canceled:
            self._end(self._stopped)
        except LostClaim as error:
            log.warning("%s", error)
        except BaseException as error:
            self._failed(error)
        finally:
            self._durability.let_go()
            self._tell_plugins()
            self._home.news.ring()

    def _generate(self) -> Outcome:
        from omnifex.engine.durability.recording import (
            Diverged,  # these know the engine, which knows torch
        )
        from omnifex.worker.environment import environment
        from omnifex.worker.reporter import Reporter

        assignment = prepare(self._home, self.claim.job)
        self._taken = taken(self._home, self.claim.job, assignment.inputs)
        reporter = Reporter(self._home.queue, self.claim)
        journal = self._durability.take_over(reporter)
        with self._engines.lent() as engine:
            self._environment = environment(engine, assignment.model)
            said = {**assignment.provenance, "environment": self._environment}
            assignment = replace(assignment, provenance=said)
            try:
                return self._follow(engine, replace(assignment, journal=journal), reporter)
            except Diverged as difference:
                journal = self._durability.start_over(reporter, str(difference))
                return self._follow(engine, replace(assignment, journal=journal), reporter)

    def _follow(self, engine: Engine, assignment: Assignment, reporter: Reporter) -> Outcome:
        """The outcome of the job, started now."""
        running = self._running = engine.start(assignment, reporter)
        if self._stop.is_set():  # asked for before there was anything to stop
            running.cancel()
        try:
            self._watch(running, reporter)
        finally:
            running.cancel()  # of no effect on one that has ended
            wait([running.outcome])
        self._report(reporter, ended=True)
        return running.result()

    def _watch(self, running: RunningJob, reporter: Reporter) -> None:
        """Report until the job's thread has ended."""
        while not running.done():
            self._durability.sync()
            self._report(reporter)
            wait([running.outcome], FLUSH_S)

    def _report(self, reporter: Reporter, *, ended: bool = False) -> None:
        try:
            changed = reporter.flush(ended=ended)
        except LostClaim:
            raise
        except JobsError as error:  # the job does not depend on it
            log.warning("job %s: its progress could not be written: %s", self.claim.job.id, error)
            return
        if changed:
            self._tell_plugins()
            self._home.news.ring()

    def _deliver(self, outcome: Outcome) -> None:
        """Store the files, then end the job: a file that no job names is no harm."""
        began = time.perf_counter()
        artifacts = [*self._store(outcome.files), *self._taken]
        measured = {**outcome.metrics, "store_time": time.perf_counter() - began}
        metrics = {**measured, **self._waited()}
        ended = (self.claim, artifacts, metrics, self._environment)
        self._end(lambda: self._succeed(*ended))

    def _store(self, files: Sequence[File]) -> list[Artifact]:
        artifacts: list[Artifact] = []
        for file in files:
            stored = self._home.store.put(file.data, suffix=file.suffix, media_type=file.media_type)
            name = file_name(self.claim.job.modality, file, [a.role for a in artifacts])
            artifacts.append(
                Artifact(
                    stored.sha256, stored.media_type, stored.size, file.role, 0, name, file.meta
                )
            )
        return artifacts

    def _waited(self) -> Mapping[str, float]:
        """Seconds in the queue before this attempt, and from submission to the end."""
        job = self.claim.job
        ready = max(job.created_at, job.run_at or 0)
        return {
            "queue_time": max(0, (job.started_at or ready) - ready) / 1000,
            "total_time": max(0.0, time.time() - job.created_at / 1000),
        }

    def _stopped(self) -> None:
        """Its user asked for it, its time is over, or the worker stops: the database knows."""
        self._home.queue.stop(self.claim, delay_after(self.claim.attempt))

    def _failed(self, error: BaseException) -> None:
        told = job_error(error, str(self._home.store.root))
        if unexpected(error):
            log.error("job %s failed", self.claim.job.id, exc_info=error)
            text = "".join(traceback.format_exception(error))
            self._end(lambda: self._home.queue.event(self.claim, "traceback", {"text": text}))
        delay = retry_delay(told, self.claim.attempt)
        self._end(lambda: self._home.queue.fail(self.claim, told, delay))

    def _end(self, write: Callable[[], Any]) -> None:
        """Write down how it ended; a busy database or a full disk is given time to recover.

        What cannot be written at all is left to the lease: it runs out, and the job runs again.
        """
        for pause in (*PATIENCE_S, None):
            try:
                write()
                return
            except LostClaim as error:
                log.warning("%s", error)
                return
            except JobsError as error:
                log.warning("job %s: its end could not be written: %s", self.claim.job.id, error)
                if pause is not None:
                    time.sleep(pause)

    def _before(self) -> int:
        """The last event before this worker took the job, where plugins want to know the rest."""
        if not self._home.plugins.listens:
            return 0
        return follow.last(self._home.queue, self.claim.job.id, State.RUNNING) - 1

    def _tell_plugins(self) -> None:
        """Every event since this worker took the job, to the plugins that listen."""
        if not self._home.plugins.listens:
            return
        try:
            for event in follow.so_far(self._home.queue, self.claim.job.id, self._told):
                self._home.plugins.emit(event)
                self._told = event.seq
        except JobsError as error:
            log.warning("job %s: its events could not be read: %s", self.claim.job.id, error)


def file_name(modality: str, file: File, before: Sequence[str]) -> str:
    """`image.png`, `image-2.png`, `mesh-preview.png`: what it is called when it is saved."""
    parts = [modality] if file.role == "output" else [modality, file.role]
    position = before.count(file.role) + 1
    if position > 1:
        parts.append(str(position))
    return f"{'-'.join(parts)}.{file.suffix.lstrip('.')}"
