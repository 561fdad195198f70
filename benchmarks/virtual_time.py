"""A device and its jobs in virtual time: schedulers are real code, seconds are only counted.

A step of a denoiser of a size costs max(host floor, FLOPs / throughput), as measured on an H200 for
a 20 B transformer (0.167 s below 768², 0.71 s at 1536²). Jobs come by a Poisson process.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

WIDTH, BLOCKS, TEXT_TOKENS = 3072, 60, 30
FLOPS_PER_S = 570e12
FLOOR_S = 0.167

Mix = Sequence[tuple[int, int, float]]  # side of the picture, steps, weight
MIX: Mix = [(512, 20, 0.15), (768, 20, 0.25), (1024, 25, 0.45), (1536, 35, 0.15)]


@dataclass(eq=False)
class Job:
    """A picture that somebody waits for; times in seconds from the start."""

    number: int
    arrived: float
    side: int
    steps: int
    left: int
    since: float = 0.0  # when it asked for the step that it waits for
    ended: float = 0.0

    @property
    def latency(self) -> float:
        return self.ended - self.arrived


class Scheduler(Protocol):
    """Chooses among the jobs that are present, and hears what came of it."""

    def choose(self, present: Sequence[Job], now: float) -> list[Job]:
        """The jobs whose next steps run together now."""

    def ran(self, batch: Sequence[Job], seconds: float) -> None:
        """That took so long; the jobs' counts are those after the step."""


@dataclass
class Device:
    """What steps take; `noise` is the spread of a single call, `first` the price of a new shape."""

    floor: float = FLOOR_S
    noise: float = 0.0
    first: float = 1.0
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    longest: float = 0.0
    _seen: set[tuple[int, int]] = field(default_factory=set)

    def seconds(self, side: int, rows: int = 1) -> float:
        """What a step of so many pictures takes, exactly."""
        return max(self.floor, rows * flops(side) / FLOPS_PER_S)

    def run(self, batch: Sequence[Job]) -> float:
        """The same as it would be measured: a little off, and long for the first of its shape."""
        shape = batch[0].side, len(batch)
        seconds = self.seconds(*shape) * self.chance.lognormvariate(0, self.noise)
        seconds *= 1.0 if shape in self._seen else self.first
        self._seen.add(shape)
        self.longest = max(self.longest, seconds)
        return seconds

    def alone(self, job: Job) -> float:
        """Seconds of the whole job on a device of its own."""
        return job.steps * self.seconds(job.side)


def flops(side: int) -> float:
    """Of one step with guidance: linear layers and attention of every block, twice."""
    tokens = (side // 16) ** 2
    linear = 12 * WIDTH**2 * (tokens + TEXT_TOKENS)
    attention = 4 * (tokens + TEXT_TOKENS) ** 2 * WIDTH
    return 2.0 * BLOCKS * (2 * linear + attention)


def arrivals(mix: Mix, count: int, load: float, floor: float, seed: int) -> list[Job]:
    """Jobs that keep one device busy for the share `load` of its time, if each runs alone."""
    device, chance = Device(floor), random.Random(seed)
    each = sum(weight * steps * device.seconds(side) for side, steps, weight in mix)
    return list(_arrivals(mix, count, load / each, chance))


def _arrivals(mix: Mix, count: int, rate: float, chance: random.Random) -> Iterator[Job]:
    now = 0.0
    for number in range(count):
        now += chance.expovariate(rate)
        ((side, steps, _),) = chance.choices(mix, [weight for _, _, weight in mix])
        yield Job(number, now, side, steps, steps, since=now)


def play(
    jobs: Sequence[Job], scheduler: Scheduler, device: Device, at_once: int | None = None
) -> int:
    """Run all jobs to their ends; how many calls it took. `at_once` bounds who is present."""
    coming, queue, present = list(reversed(jobs)), list[Job](), list[Job]()
    now, calls = 0.0, 0
    while coming or present:
        if not present:
            now = max(now, coming[-1].arrived)
        while coming and coming[-1].arrived <= now:
            queue.append(coming.pop())
        while queue and (at_once is None or len(present) < at_once):
            present.append(queue.pop(0))
        batch = scheduler.choose(present, now)
        seconds = device.run(batch)
        now, calls = now + seconds, calls + 1
        for job in batch:
            job.left, job.since = job.left - 1, now
        scheduler.ran(batch, seconds)
        for job in [job for job in batch if not job.left]:
            job.ended = now
            present.remove(job)
    return calls
