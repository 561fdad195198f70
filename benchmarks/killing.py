"""Worker processes that are killed, and what that costs the jobs that they had."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from sqlalchemy import update

from omnifex.home import Home, open_home
from omnifex_jobs import Job, Recipe, State
from omnifex_jobs.database.schema import job as jobs_table
from omnifex_jobs.files.journal import SUFFIX, believed

MOST_CALLS = 12  # that a worker makes before it is killed
EARLY, EARLY_S = 0.2, 1.5  # this share of the kills comes so soon, while components are loaded
ATTEMPTS = 10_000  # nobody gives up on a job here
PATIENCE_S = 300.0
LOG = "calls.log"
PRELOADED = [
    "omnifex.worker.worker",
    "omnifex.worker.reporter",
    "omnifex.engine.engine",
    "omnifex.generate",
    "omnifex_prism.autoencoder",
    "omnifex_prism.conditioner",
    "omnifex_image.files",
    "omnifex_video.files",
    "omnifex_audio.files",
    "omnifex_audio.mel",
    "omnifex_mesh.files",
    "diffusers.models.unets.unet_2d_condition",
    "diffusers.schedulers.scheduling_dpmsolver_multistep",
    "transformers.modeling_utils",
    "torchaudio",
]


@dataclass(frozen=True)
class Reference:
    """An undisturbed job."""

    job: Job
    files: tuple[str, ...]  # sha256
    calls: int


@dataclass(frozen=True)
class Call:
    """A line of the workers' list."""

    worker: int  # its process
    job: str
    how: str
    seconds: float
    ended: float  # epoch


@dataclass
class Kills:
    """What the kills came to; seconds of one job each."""

    recorded: dict[str, int] = field(default_factory=dict)  # records in each job's journal
    again: list[float] = field(default_factory=list)  # calls that had been computed
    in_flight: list[float] = field(default_factory=list)  # the one that was not done
    longest: float = 0.0  # of all calls


# The worker's process


def serve(folder: str) -> None:
    """Serve the home until killed, and list every call."""
    from omnifex.worker.worker import Worker

    settle()
    worker = Worker(open_home(folder), devices=["cpu"], at_once=1)
    with worker.performer.lending.lent() as engine:
        engine.dispatcher.runner.observers.append(Lines(Path(folder) / LOG))
    worker.start()
    signal.pause()


def settle() -> None:
    """As all processes are here: more threads would change the last bits, previews are no work."""
    import torch

    from omnifex.worker.reporter import Reporter

    torch.set_num_threads(1)
    Reporter.wants_previews = False


class Lines:
    """Writes one line a call, whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, record: object) -> None:
        from omnifex.engine.watching.record import CallRecord

        assert isinstance(record, CallRecord)
        for job in record.jobs:
            line = f"{os.getpid()} {job} {record.how} {record.run} {time.time()}\n"
            os.write(self._file, line.encode())


def ran(home: Home, worker: ForkServerProcess) -> list[Call]:
    """What this worker has computed."""
    return [call for call in calls_of(home) if call.worker == worker.pid and call.how == "ran"]


def calls_of(home: Home) -> list[Call]:
    path = home.folder / LOG
    whole, _, _ = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
    lines = [line.split() for line in whole.splitlines()]  # but one that is being written
    return [Call(int(w), job, how, float(s), float(at)) for w, job, how, s, at in lines]


# The killing


def submit(home: Home, reference: Reference) -> str:
    job = reference.job
    recipe = Recipe(job.recipe)
    return home.queue.submit(
        recipe, modality=job.modality, model=job.model, max_attempts=ATTEMPTS
    ).id


def kill_workers(
    home: Home,
    known: Sequence[Reference],
    kills: int,
    chance: random.Random,
    most_calls: int = MOST_CALLS,  # of jobs that there are enough of: `open_jobs`
    open_jobs: int = 2,
) -> tuple[dict[str, Reference], Kills]:
    """The jobs that were submitted meanwhile, and what the kills cost them."""
    kinds, jobs, costs = cycle(known), {}, Kills()
    for number in range(kills):
        while sum(map(home.queue.counts().get, (State.QUEUED, State.RUNNING))) < open_jobs:
            reference = next(kinds)
            jobs[submit(home, reference)] = reference
        with working(home) as worker:
            let_work(home, worker, chance, most_calls)
            worker.kill()
            at = time.time()
            worker.join()
        account(home, worker, at, jobs, costs)
        free(home)
        print(f"\r{number + 1} kills, {len(jobs)} jobs", end="", flush=True)
    print()
    return jobs, costs


def let_work(home: Home, worker: ForkServerProcess, chance: random.Random, most_calls: int) -> None:
    """Wait for a moment while it loads, or for some calls and a moment in the next."""
    if chance.random() < EARLY:
        time.sleep(chance.uniform(0, EARLY_S))
        return
    calls = chance.randint(1, most_calls)
    wait_until(lambda: len(ran(home, worker)) >= calls)
    time.sleep(chance.uniform(0, ran(home, worker)[-1].seconds))


@contextmanager
def working(home: Home) -> Iterator[ForkServerProcess]:
    """A worker's process, from the moment that it has a job."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    worker = context.Process(target=serve, args=(str(home.folder),), daemon=True)
    worker.start()
    try:
        wait_until(lambda: home.queue.counts()[State.RUNNING] > 0)
        yield worker
    finally:
        worker.kill()
        worker.join()


def account(
    home: Home, worker: ForkServerProcess, at: float, jobs: dict[str, Reference], costs: Kills
) -> None:
    """Compare what the dead worker had computed with what the journals have."""
    calls = ran(home, worker)
    costs.longest = max([costs.longest, *(call.seconds for call in calls)])
    for job in home.queue.find(state=State.RUNNING):
        computed = [call for call in calls if call.job == job.id]
        has = records(home, job.id)
        kept = has - costs.recorded.get(job.id, 0)
        costs.recorded[job.id] = has
        lost = computed[kept:]
        costs.again.append(sum(call.seconds for call in lost))
        busy = computed and has + len(lost) < jobs[job.id].calls
        costs.in_flight.append(at - computed[-1].ended if busy else 0.0)


def records(home: Home, job_id: str) -> int:
    """How many calls are in the job's journal."""
    path = home.journals.root / f"{job_id}{SUFFIX}"
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in believed(file)) - 1  # the first says whose it is


def free(home: Home) -> None:
    """Put the jobs of the dead worker back, and blame none of them: it was not they who killed."""
    for worker in home.queue.workers():
        home.queue.gone(worker.id)
    home.queue.rescue()
    with home.database.begin() as db:
        db.execute(update(jobs_table).values(crash_count=0, crash_progress=-1.0))


def finish(home: Home, jobs: dict[str, Reference]) -> None:
    """Let a worker that nobody kills do the rest."""
    with working(home):
        wait_until(lambda: all(home.queue.get(job).final for job in jobs))
        wait_until(lambda: not left(home))


def wait_until(ready: Callable[[], bool]) -> None:
    """What does not come at all shows in the report."""
    until = time.monotonic() + PATIENCE_S
    while not ready() and time.monotonic() < until:
        time.sleep(0.01)


def left(home: Home) -> int:
    """How many journals there are."""
    return len(list(home.journals.root.glob("*")))
