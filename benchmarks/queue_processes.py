"""Processes that submit, claim and finish as fast as they can, and what they measured."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

START_S = 120.0  # for all processes to have opened the database

Phase = Callable[[], bool]  # does one job's worth; False where there is nothing to do


class Opened(NamedTuple):
    """A queue in one process: putting one job in, and taking one out and finishing it."""

    submit: Phase
    claim: Phase
    finish: Phase  # of what was claimed last
    close: Callable[[], object]
    following: bool = False  # a job that is finished brings the next: then both are timed as one


class System(NamedTuple):
    """A kind of queue; `open` is called in each process, with its address."""

    name: str
    open: Callable[[str], Opened]


class Figures(NamedTuple):
    submits: float  # a second, of all processes
    claims: float  # a second, each with its finish
    p50_ms: float  # of a claim
    p99_ms: float
    longest_ms: float
    errors: int
    unfair: float  # how far one process's share of the claims is from an even one, at most


@dataclass
class Told:
    """What one process saw in one phase."""

    done: int = 0
    errors: int = 0
    seconds: float = 0.0
    claims: list[float] = field(default_factory=list)  # seconds each


def open_ours(address: str, at_once: int = 0) -> Opened:
    """Finishes a job and claims the next in one transaction, as a worker does that is busy.

    Or claims `at_once` jobs in a transaction, and finishes each in one of its own.
    """
    from omnifex_jobs import Claim, JobQueue, Recipe, Wish, migrate, open_database

    engine = open_database(address)
    migrate(engine)
    queue = JobQueue(engine)
    worker, held = queue.register(), list[Claim]()

    def submit() -> bool:
        prompt = f"a red circle of {200 * 'x'}, number {time.perf_counter_ns()}"
        queue.submit(Recipe({"prompt": prompt}), modality="image", model="prism")
        return True

    def claim() -> bool:
        held.extend(() if held else queue.claim(worker, limit=at_once or 1))
        return bool(held)

    def finish() -> bool:
        held.extend(queue.succeed(held.pop(0), then=None if at_once else Wish()))
        return True

    return Opened(submit, claim, finish, engine.dispose, following=not at_once)


def ours(at_once: int = 0) -> System:
    name = f"omnifex, {at_once} a claim" if at_once else "omnifex"
    return System(name, partial(open_ours, at_once=at_once))


class Crew:
    """So many processes on one database, which begin each phase together."""

    def __init__(self, system: System, address: str, count: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipes = []
        self._processes = []
        for _ in range(count):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=serve, args=(system, address, theirs), daemon=True)
            process.start()
            assert ours.poll(START_S)
            ours.recv()  # one after the other, so that only the first makes the tables
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join()

    def figures(self, seconds: float) -> Figures:
        put, taken = self._phase("submit", seconds), self._phase("work", seconds)
        claims = sorted(1000 * it for told in taken for it in told.claims)
        return Figures(
            submits=rate(put),
            claims=rate(taken),
            p50_ms=statistics.median(claims) if claims else 0.0,
            p99_ms=claims[int(0.99 * len(claims))] if claims else 0.0,
            longest_ms=claims[-1] if claims else 0.0,
            errors=sum(told.errors for told in (*put, *taken)),
            unfair=unfairness([told.done for told in taken]),
        )

    def _phase(self, name: str, seconds: float) -> list[Told]:
        for pipe in self._pipes:
            pipe.send((name, seconds))
        return [pipe.recv() for pipe in self._pipes]


def unfairness(shares: list[int]) -> float:
    even = sum(shares) / len(shares)
    return max(abs(share - even) for share in shares) / even if even else 0.0


def rate(told: list[Told]) -> float:
    return sum(it.done / it.seconds for it in told if it.seconds)


def serve(system: System, address: str, pipe: Any) -> None:
    opened = system.open(address)
    pipe.send("ready")
    while order := pipe.recv():
        name, seconds = order
        pipe.send(perform(opened, name, seconds))
    opened.close()


def perform(opened: Opened, name: str, seconds: float) -> Told:
    """One phase; it ends early where nothing is left to claim."""
    told = Told()
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        try:
            going = opened.submit() if name == "submit" else work(opened, told)
        except Exception:
            told.errors += 1
            continue
        if not going:
            break
        told.done += 1
    told.seconds = time.perf_counter() - began
    return told


def work(opened: Opened, told: Told) -> bool:
    asked = time.perf_counter()
    if not opened.claim():
        return False
    claimed = time.perf_counter()
    opened.finish()
    told.claims.append((time.perf_counter() if opened.following else claimed) - asked)
    return True
