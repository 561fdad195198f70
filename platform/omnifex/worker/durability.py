"""A run's journal as the worker has it: taken over, kept on the disk, dropped at the end."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from omnifex.home import Home
from omnifex.versions import software
from omnifex_jobs import Claim, Job, JobsError
from omnifex_jobs.errors import LostClaim
from omnifex_jobs.files.journal import Journal, Owner

if TYPE_CHECKING:
    from omnifex.engine.context import Listener
    from omnifex.engine.durability.recording import Unrecorded

log = logging.getLogger("omnifex.worker")


class Durability:
    """One claim's journal. Nothing that goes wrong with it fails the job: it is less safe then."""

    def __init__(self, home: Home, claim: Claim) -> None:
        self._home, self._claim = home, claim
        self._journal: Journal | None = None

    def take_over(self, listener: Listener) -> Unrecorded:
        """What an earlier attempt computed, to be replayed; says so in the job's events."""
        from omnifex.engine.durability.recording import JobJournal, Unrecorded

        try:
            self._journal = journal = self._open()
        except LostClaim:
            raise
        except JobsError as error:
            listener.note(f"This job would not survive a crash. {error}")
            return Unrecorded()
        if journal.stranger:
            listener.note(
                "What was computed before cannot be used by this version: it starts over."
            )
        if calls := len(journal):
            self._say_resumed(calls)
        return JobJournal(journal)

    def start_over(self, listener: Listener, difference: str) -> Unrecorded:
        """After the job has not repeated itself: a new journal, and a word to its user."""
        from omnifex.engine.durability.recording import JobJournal, Unrecorded

        listener.note(f"This job did not repeat itself: {difference}. It starts over.")
        if self._journal is None:
            return Unrecorded()
        try:
            self._journal.restart()
        except JobsError as error:  # it is forgotten, and its file will be replaced
            log.warning("job %s: its journal could not be removed: %s", self._claim.job.id, error)
        return JobJournal(self._journal)

    def sync(self) -> None:
        """Called twice a second: a power cut costs no more than that."""
        try:
            if self._journal:
                self._journal.sync()
        except JobsError as error:
            log.warning("job %s: its journal is not safe: %s", self._claim.job.id, error)

    def let_go(self) -> None:
        """Leave the journal to whoever takes the job next, or remove it where the job is over."""
        journal = self._journal
        if journal is None or not journal.begun:
            return
        job_id = self._claim.job.id
        try:
            if job_id in self._home.queue.over([job_id]):
                journal.drop()
        except JobsError as error:
            log.warning("job %s: its journal could not be removed: %s", job_id, error)
        journal.close()

    def _say_resumed(self, calls: int) -> None:
        try:
            self._home.queue.event(self._claim, "resumed", {"calls": calls})
        except LostClaim:
            raise
        except JobsError as error:
            log.warning("job %s: could not say that it resumes: %s", self._claim.job.id, error)

    def _open(self) -> Journal:
        job, queue = self._claim.job, self._home.queue
        return self._home.journals.open(job.id, owner_of(job), partial(queue.holds, self._claim))


def owner_of(job: Job) -> Owner:
    """Whose the journal of this job is, if this process is to use it."""
    return {"recipe": job.recipe_hash, "software": software()}
