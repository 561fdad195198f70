"""Who waits how long: the scheduler's own code in virtual time, beside what others do.

    python -m benchmarks.scheduling                     # a minute or two
    python -m benchmarks.scheduling --seeds 20 --loads 0.7 1.0

One device, pictures of 512² to 1536² as a Poisson process. Compared are first come first served;
whole requests batched where all is equal; continuous batching of one key, in the order of arrival;
and ours, told the truth about costs, learning them within the run from nothing (calls 5 % noisy,
the first of each shape three times as long), and the same with no more jobs at once than a worker
takes. A job is in time within three times what it takes alone. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.virtual_time import FLOOR_S, MIX, Device, Job, Scheduler, arrivals, play
from omnifex.engine.scheduling.costs import CallKind, CostModel
from omnifex.engine.scheduling.policy import SHARE, Policy, Waiting
from omnifex.engine.scheduling.work import Amount, JobWork
from omnifex.worker.worker import AT_ONCE

IN_TIME = 3.0  # times a job's seconds alone
MOST = 8  # rows of a batch, for those who have a fixed number
NOISE, FIRST = 0.05, 3.0
GOALS = {0.7: 0.95, 1.0: 0.83}  # the least share in time, by load
MEAN_GOAL = 0.7  # of first-come's mean latency


class FirstCome:
    """One after the other, in the order of arrival."""

    def choose(self, present: Sequence[Job], now: float) -> list[Job]:
        return [present[0]]

    def ran(self, batch: Sequence[Job], seconds: float) -> None:
        pass


class WholeRequests(FirstCome):
    """Requests that are equal in all but prompt and seed run together from start to end."""

    def __init__(self) -> None:
        self.running: list[Job] = []

    def choose(self, present: Sequence[Job], now: float) -> list[Job]:
        self.running = [job for job in self.running if job.left]
        if not self.running:
            first = present[0]
            equal = [j for j in present if (j.side, j.steps) == (first.side, first.steps)]
            self.running = equal[:MOST]
        return self.running


class OneKey(FirstCome):
    """Jobs of one size join at any step, but only the oldest that waits is looked at."""

    def __init__(self) -> None:
        self.running: list[Job] = []

    def choose(self, present: Sequence[Job], now: float) -> list[Job]:
        self.running = [job for job in self.running if job.left]
        for job in present:
            if job in self.running:
                continue
            fits = not self.running or self.running[0].side == job.side
            if not fits or len(self.running) == MOST:
                break
            self.running.append(job)
        return self.running


@dataclass
class Aged:
    """When a job aged, and what then stood before its end: device seconds and calls."""

    at: float
    seconds: float
    calls: int


class Ours:
    """The engine's policy and work, learning costs by what it runs; `told` knows them."""

    def __init__(self, device: Device, told: bool = False) -> None:
        self.costs, self.device, self.told = CostModel(), device, told
        self.policy = Policy(self.costs)
        self.works: dict[Job, JobWork] = {}
        self.aged: dict[Job, Aged] = {}
        if told:
            self._tell()

    def choose(self, present: Sequence[Job], now: float) -> list[Job]:
        waiting = [self._waiting(job) for job in present]
        self._note_the_aged(waiting, now)
        return [one.call for one in self.policy.choose(waiting, now)]

    def ran(self, batch: Sequence[Job], seconds: float) -> None:
        self.costs.observe(kind(batch[0].side), len(batch), seconds)
        for job in batch:
            work = self.works[job]
            work.called(kind(job.side), 1)
            work.step(job.steps - job.left, job.steps)
            if not job.left:
                work.ended()

    def bound(self, job: Job) -> float:
        """The latest end that the ageing rule allows."""
        aged = self.aged[job]
        return aged.at + aged.seconds / SHARE + 2 * aged.calls * self.device.longest

    def _waiting(self, job: Job) -> Waiting:
        amount = self._amount(job)
        return Waiting(
            kind=kind(job.side),
            signature=job.side,
            rows=1,
            arrived=job.arrived,
            since=job.since,
            expected=amount.expected,
            remaining=amount.remaining,
            call=job,
        )

    def _amount(self, job: Job) -> Amount:
        if job not in self.works:
            form = CallKind("picture", "job", f"{job.side} {job.steps}")
            self.works[job] = JobWork(self.costs, form)
        if not self.told:
            return self.works[job].amount
        step = self.device.seconds(job.side)
        return Amount(step * (job.steps - job.left), step * job.left, step * job.steps)

    def _note_the_aged(self, waiting: Sequence[Waiting], now: float) -> None:
        old = sorted((one for one in waiting if one.aged_at <= now), key=lambda one: one.aged_at)
        seconds, calls = 0.0, 0
        for one in old:
            seconds += one.remaining
            calls += one.call.left
            self.aged.setdefault(one.call, Aged(now, seconds, calls))

    def _tell(self) -> None:
        for side, _, _ in MIX:
            for rows in (1, 2, 3, 4, 6, 8, 16) * 2:
                self.costs.observe(kind(side), rows, self.device.seconds(side, rows))


def kind(side: int) -> CallKind:
    return CallKind("denoiser", "__call__", f"{side}x{side}")


@dataclass(frozen=True)
class Report:
    """Of one policy at one load, over all seeds; seconds."""

    policy: str
    load: float
    in_time: float
    worst_seed: float
    mean: float
    p95: float
    p99: float
    slowest: float
    rows: float  # of a call, on average
    bound: float = 0.0  # of the slowest, by the ageing rule
    broken: int = 0  # bounds


Make = Callable[[Device], Scheduler]
POLICIES: dict[str, tuple[Make, bool, int | None]] = {  # how, whether calls are noisy, at once
    "first come, first served": (lambda device: FirstCome(), False, None),
    "whole-request batching": (lambda device: WholeRequests(), False, None),
    "one-key continuous": (lambda device: OneKey(), False, None),
    "ours, told the costs": (lambda device: Ours(device, told=True), False, None),
    "ours, learning": (Ours, True, None),
    f"ours, learning, {AT_ONCE} at once": (Ours, True, AT_ONCE),
}


def measure(policy: str, load: float, seeds: int, count: int, floor: float = FLOOR_S) -> Report:
    """Play one policy with several streams of jobs; all policies get the same ones."""
    make, noisy, at_once = POLICIES[policy]
    jobs: list[Job] = []
    shares: list[float] = []
    bounds: dict[Job, float] = {}
    calls = 0
    for seed in range(seeds):
        device = Device(floor, chance=random.Random(seed))
        if noisy:
            device.noise, device.first = NOISE, FIRST
        scheduler, stream = make(device), arrivals(MIX, count, load, floor, seed)
        calls += play(stream, scheduler, device, at_once)
        if isinstance(scheduler, Ours):
            bounds |= {job: scheduler.bound(job) for job in scheduler.aged}
        shares.append(share_in_time(stream, device))
        jobs += stream
    latencies = sorted(job.latency for job in jobs)
    slowest = max(jobs, key=lambda job: job.latency)
    return Report(
        policy,
        load,
        statistics.mean(shares),
        min(shares),
        statistics.mean(latencies),
        latencies[int(0.95 * len(jobs))],
        latencies[int(0.99 * len(jobs))],
        slowest.latency,
        sum(job.steps for job in jobs) / calls,
        bounds[slowest] - slowest.arrived if slowest in bounds else 0.0,
        sum(job.ended > bound for job, bound in bounds.items()),
    )


def share_in_time(jobs: Sequence[Job], device: Device) -> float:
    return sum(job.latency <= IN_TIME * device.alone(job) for job in jobs) / len(jobs)


def missed(reports: Sequence[Report]) -> list[str]:
    """The goals that ours does not reach, each as a sentence."""
    first = {report.load: report.mean for report in reports if report.policy in list(POLICIES)[:1]}
    found = []
    for report in reports:
        if not report.policy.startswith("ours"):
            continue
        place = f"{report.policy}, at load {report.load}"
        if report.in_time < GOALS.get(report.load, 0):
            found.append(f"{place}: {report.in_time:.1%} in time, not {GOALS[report.load]:.0%}.")
        if report.mean > MEAN_GOAL * first[report.load]:
            found.append(f"{place}: mean latency is {report.mean / first[report.load]:.2f}×.")
        if report.broken:
            found.append(f"{place}: {report.broken} jobs ended after their bound.")
    return found


def show(reports: Sequence[Report], seeds: int, count: int) -> None:
    for load in dict.fromkeys(report.load for report in reports):
        print(f"\nload {load}, {seeds} streams of {count} jobs; seconds")
        print(f"{'':34}in time  worst    mean     ×    p95    p99  slowest (bound)   rows")
        first = 0.0
        for report in (report for report in reports if report.load == load):
            first = first or report.mean
            bound = f"({report.bound:.0f})" if report.bound else ""
            print(
                f"  {report.policy:31} {report.in_time:7.1%} {report.worst_seed:6.1%} "
                f"{report.mean:7.1f} {report.mean / first:5.2f} {report.p95:6.0f} "
                f"{report.p99:6.0f} {report.slowest:8.0f} {bound:>7} {report.rows:6.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--loads", type=float, nargs="+", default=[0.7, 1.0, 1.5])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--floor", type=float, default=FLOOR_S, help="seconds of the shortest call")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    reports = [
        measure(policy, load, options.seeds, options.jobs, options.floor)
        for load in options.loads
        for policy in POLICIES
    ]
    if options.json:
        print(json.dumps([asdict(report) for report in reports]))
    else:
        show(reports, options.seeds, options.jobs)
        print("\n".join(["", *missed(reports)] if missed(reports) else ["\nall goals are met"]))
    sys.exit(bool(missed(reports)))


if __name__ == "__main__":
    main()
