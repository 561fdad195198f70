"""Clients that submit the same keys at once, and die before they hear the answer (F7)."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.faults_bench import Bench, Figure, forking, true, until
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
        self._hearing, telling = forking().Pipe(duplex=False)
        about = (self.address, self.seed + self.deaths, len(self.answers), self.keys, telling)
        forking().Process(target=submit_all, args=about, daemon=True).start()
        telling.close()

    def done(self) -> bool:
        """Whether it has all answers; the dead are replaced."""
        try:
            while self._hearing.poll():
                self.answers.append(self._hearing.recv())
        except (EOFError, OSError):
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


def submit_all(
    address: str, seed: int, first: int, keys: int, telling: Connection[Any, Any]
) -> None:
    """One client's life, which may end after any submission."""
    queue, chance = JobQueue(open_database(address)), random.Random(seed)
    for number in range(first, keys):
        recipe = Recipe({"request": {"prompt": f"key {number}"}})
        options: dict[str, Any] = {"idempotency_key": f"key {number}", "batch": "keys"}
        made = queue.submit(recipe, modality="speck", model="specks", run_at=LATER, **options)
        if chance.random() < DEATHS:
            os.kill(os.getpid(), signal.SIGKILL)  # it is written, and nobody heard of it
        telling.send(made.id)
