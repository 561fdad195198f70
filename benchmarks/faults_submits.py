"""Clients that submit the same keys at once, and die before they hear the answer (F7).

python -m benchmarks.faults_submits ADDRESS SEED FIRST KEYS      # one of them
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any

from benchmarks.faults_bench import ROOT, Bench, Figure, true, until
from omnifex_jobs import JobQueue, Recipe, open_database

CLIENTS = 8
DEATHS = 0.004  # of a client after a submission, before its answer counts
LATER = 4_000_000_000_000  # epoch ms: nobody runs these jobs


@dataclass
class Client:
    """Submits all keys in turn; where it dies, another begins at the first key without answer."""

    address: str
    keys: int
    seed: int
    answers: list[str] = field(default_factory=list)  # the job of each key
    deaths: int = 0

    def begin(self) -> None:
        self._said: IO[str] = TemporaryFile("w+")  # noqa: SIM115 - open until it is done
        first = [str(self.seed + self.deaths), str(len(self.answers)), str(self.keys)]
        command = [sys.executable, "-m", "benchmarks.faults_submits", self.address, *first]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=self._said)

    def done(self) -> bool:
        """Whether it has all answers; the dead are replaced."""
        if self._process.poll() is None:
            return False
        with self._said:
            self._said.seek(0)
            self.answers += self._said.read().split()
        if len(self.answers) == self.keys:
            return True
        self.deaths += 1
        self.begin()
        return False


def duplicate_submits(bench: Bench, keys: int) -> Iterator[Figure]:
    """F7: each key is one job, whoever asked for it, how often, and whatever was heard of it."""
    seeds = [bench.chance.randrange(10**6) for _ in range(CLIENTS)]
    clients = [Client(database_of(bench), keys, seed) for seed in seeds]
    for client in clients:
        client.begin()
    waiting = list(clients)

    def all_done() -> bool:
        waiting[:] = [client for client in waiting if not client.done()]
        return not waiting

    until(all_done)
    answers = {tuple(client.answers) for client in clients}
    bench.acknowledged += clients[0].answers
    rows = bench.value("SELECT count(*) FROM job WHERE batch = 'keys'")
    bench.home.queue.batches.cancel("keys")
    deaths = sum(client.deaths for client in clients)
    said = f"{CLIENTS} clients × {keys} keys, {deaths} died unanswered: jobs"
    yield Figure("F7", said, str(rows), str(keys), rows == keys)
    yield true("F7", "all clients were told the same jobs", len(answers) == 1)


def database_of(bench: Bench) -> str:
    return bench.home.database.url.render_as_string(hide_password=False)


def submit_all(address: str, seed: str, first: str, keys: str) -> None:
    """One client's life, which may end after any submission."""
    queue, chance = JobQueue(open_database(address)), random.Random(int(seed))
    for number in range(int(first), int(keys)):
        recipe = Recipe({"request": {"prompt": f"key {number}"}})
        options: dict[str, Any] = {"idempotency_key": f"key {number}", "batch": "keys"}
        made = queue.submit(recipe, modality="speck", model="specks", run_at=LATER, **options)
        if chance.random() < DEATHS:
            os.kill(os.getpid(), signal.SIGKILL)  # it is written, and nobody heard of it
        print(made.id, flush=True)


if __name__ == "__main__":
    submit_all(*sys.argv[1:])
