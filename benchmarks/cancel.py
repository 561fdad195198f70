"""How late a cancel comes: jobs canceled while they are queued, waiting, running or resuming.

    python -m benchmarks.cancel                 # 1000 cancels
    python -m benchmarks.cancel --jobs 100

A worker has more jobs than it runs at once; their calls take a millisecond each. Every other job
has the journal of a worker that died, and replays it. Again and again one job is chosen and
canceled, and what it was at just then is noted. Counted are the calls that began after `cancel`
had returned: at most one each is the target.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from benchmarks.cancel_cases import PausePlugin
from omnifex.engine.durability.recording import JobJournal
from omnifex.engine.engine import Engine
from omnifex.engine.watching.record import CallRecord
from omnifex.home import Home, open_home
from omnifex.job import Job
from omnifex.order import Order
from omnifex.plugins import PluginHost
from omnifex.submission import submit
from omnifex.worker.durability import owner_of
from omnifex.worker.preparation import prepare
from omnifex.worker.worker import Worker
from omnifex_jobs import State
from omnifex_jobs.files.journal import Journals

STATES = ("queued", "waiting", "running", "resuming")
ALIVE, AT_ONCE = 12, 4  # jobs to choose from, and those that run
STEPS, REPLAYED = 600, 500
PAUSE_S = 0.03  # the longest between two cancels
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Cancel:
    """What the job was at, and when `cancel` had returned, in epoch seconds."""

    job: Job
    state: str
    at: float


class Watched:
    """The home, its worker's engine, and every call that was made."""

    def __init__(self, home: Home, engine: Engine) -> None:
        self.home, self.engine = home, engine
        self.calls: defaultdict[str, list[CallRecord]] = defaultdict(list)
        engine.dispatcher.runner.observers.append(self._note)

    def state(self, job: Job) -> str:
        """What the job is at, or "over"."""
        if job.id not in self.engine.watch.jobs:
            return "over" if job.done else "queued"
        if any(call.job.id == job.id for call in self.engine.dispatcher.waiting):
            return "waiting"
        calls = self.calls[job.id]
        return "resuming" if calls and calls[-1].how == "replayed" else "running"

    def late(self, cancel: Cancel) -> int:
        """Calls that began after it."""
        calls = self.calls[cancel.job.id]
        return sum(call.how == "ran" and call.began > cancel.at for call in calls)

    def _note(self, record: CallRecord) -> None:
        for job in record.jobs:
            self.calls[job].append(record)


@contextmanager
def serving(home: Home) -> Iterator[Watched]:
    worker = Worker(home, devices=["cpu"], at_once=AT_ONCE)
    with worker.performer.lending.lent() as engine:
        watched = Watched(home, engine)
    worker.start()
    try:
        yield watched
    finally:
        worker.stop()


def ask(home: Home, seed: int, order: Order | None = None) -> Job:
    """A job that shares no batch, so that at any moment one call runs and others wait."""
    fields = {"prompt": "wait", "steps": STEPS, "seed": seed, "deterministic": True}
    return Job(home, submit(home, "pause", fields, None, order or Order()).id)


def ask_again(home: Home, records: Sequence[bytes]) -> Job:
    """A job that a worker died in; it is due once its journal lies there."""
    job = ask(home, 0, Order(run_at=round((time.time() + 0.2) * 1000)))
    with closing(home.journals.open(job.id, owner_of(job.record), lambda: True)) as journal:
        for record in records:
            journal.append(record)
    return job


def journal_of(home: Home) -> list[bytes]:
    """What such a job has recorded, being of the same seed."""
    job = ask(home, 0).record
    home.queue.cancel(job.id)
    journals = Journals(home.folder / "once")
    with closing(journals.open(job.id, owner_of(job), lambda: True)) as journal, Engine() as engine:
        engine.run(replace(prepare(home, job), journal=JobJournal(journal, short_s=0.0)))
    with closing(journals.open(job.id, owner_of(job), lambda: True)) as journal:
        return [journal[index] for index in range(REPLAYED)]


def cancel_jobs(watched: Watched, wanted: int, chance: random.Random) -> list[Cancel]:
    """Keep jobs coming, and cancel one or another of them."""
    records, seeds = journal_of(watched.home), count(1)
    alive: list[Job] = []
    cancels: list[Cancel] = []
    while len(cancels) < wanted:
        while len(alive) < ALIVE:
            again = chance.random() < 0.5
            home = watched.home
            alive.append(ask_again(home, records) if again else ask(home, next(seeds)))
        time.sleep(chance.uniform(0, PAUSE_S))
        job = chosen(watched, alive, chance)
        alive.remove(job)
        state = watched.state(job)
        if state != "over":
            job.cancel()
            cancels.append(Cancel(job, state, time.time()))
    for job in alive:
        job.cancel()
    for job in [*alive, *(cancel.job for cancel in cancels)]:
        job.wait(PATIENCE_S)
    return cancels


def chosen(watched: Watched, alive: Sequence[Job], chance: random.Random) -> Job:
    """Any job, but one of each state as often as there are some."""
    state = chance.choice(STATES)
    return chance.choice([job for job in alive if watched.state(job) == state] or alive)


def report(watched: Watched, cancels: Sequence[Cancel]) -> bool:
    """A line for each state; whether no call came later than it may, and no job ended otherwise.

    A job that has made all its calls may succeed still: success wins over a late cancel.
    """
    print(
        "  canceled while   jobs   calls after it: none   one   more   canceled   succeeded first"
    )
    held = True
    for state in STATES:
        those = [cancel for cancel in cancels if cancel.state == state]
        late = Counter(min(watched.late(cancel), 2) for cancel in those)
        ends = Counter(cancel.job.status for cancel in those)
        canceled, first = ends[State.CANCELED], ends[State.SUCCEEDED]
        print(
            f"  {state:14} {len(those):6} {late[0]:22} {late[1]:5} {late[2]:6} "
            f"{canceled:10} {first:17}"
        )
        held &= not late[2] and canceled + first == len(those)
    return held


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        host = PluginHost([PausePlugin(Path(folder))], entry_points=False)
        home = open_home(Path(folder) / "home", host)
        with serving(home) as watched:
            cancels = cancel_jobs(watched, options.jobs, random.Random(options.seed))
            held = report(watched, cancels)
        home.close()
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
