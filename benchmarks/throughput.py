"""What batching gains: eight jobs of different lengths at once, against one after another.

    python -m benchmarks.throughput                  # all cases
    python -m benchmarks.throughput nano --rounds 20

The jobs have one shape and differ in steps, guidance and seed, so that no batching of whole
requests could merge them; they come a moment apart. The baseline is first come, first served: the
same jobs, each alone in its own thread, which is the cheapest way to run them. `nano` is a Flux of
79 thousand parameters and 64 tokens in the platform's own loop, `sd15` an unmodified tiny Stable
Diffusion pipeline, whose own Python is not batched, and `prism` the built-in model of pictures.

Both ways run by turns, and the baseline once more: what it differs from itself is the noise of the
machine. CPU time is the process's, with one thread of torch's. Beside it stands what the backbone
alone gains in a batch of eight, which no engine can exceed. All components have been proved to be
joinable before the first round, as they are in a worker from the second batch on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.side_by_side import Figure, side_by_side
from benchmarks.throughput_cases import ThroughputPlugin, nano, prism, sd15
from omnifex.engine.batching.joining import joined, plans
from omnifex.engine.call import ComponentCall
from omnifex.engine.engine import Assignment, Engine, Outcome
from omnifex.engine.watching.record import CallRecord
from omnifex.workbench import Workbench

STEPS = (24, 30, 26, 32, 28, 25, 31, 27)
GUIDANCE = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5)
STAGGER_S = 0.002
WARM_UP = 4  # rounds in which the engine learns what batches cost
AIM = 2.5  # for nano
TOLERANCE = 1e-5

CASES: Mapping[str, Callable[..., Assignment]] = {"nano": nano, "sd15": sd15, "prism": prism}
NUMBERS: Mapping[str, type[Any]] = {"nano": np.float32, "sd15": np.float32, "prism": np.uint8}


@dataclass(frozen=True)
class Throughput:
    """Of eight jobs, in milliseconds: one after another and at once; ratios are the gain."""

    case: str
    calls: int  # that the jobs ask for
    runs: int  # of the device, at once
    difference: float  # of the results, the largest
    backbone_gain: float  # of eight calls in one
    cpu: Figure
    wall: Figure
    median_cpu: Figure

    @property
    def batch(self) -> float:
        """Jobs in a run, in the mean."""
        return self.calls / self.runs


@contextmanager
def workbench() -> Iterator[Workbench]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with Workbench(folder, [ThroughputPlugin(folder)]) as bench:
            yield bench


def jobs_of(bench: Workbench, case: str) -> list[Assignment]:
    asked = zip(STEPS, GUIDANCE, strict=True)
    return [
        replace(CASES[case](bench, steps=steps, guidance=guidance, seed=n), id=f"{case}-{n}")
        for n, (steps, guidance) in enumerate(asked)
    ]


def one_after_another(engine: Engine, jobs: Sequence[Assignment]) -> list[Outcome]:
    return [engine.run(job) for job in jobs]


def at_once(engine: Engine, jobs: Sequence[Assignment]) -> list[Outcome]:
    running = []
    for job in jobs:
        running.append(engine.start(job))
        time.sleep(STAGGER_S)
    return [job.result() for job in running]


def measure(bench: Workbench, case: str, rounds: int) -> Throughput:
    engine, jobs = bench.engine, jobs_of(bench, case)
    alone = one_after_another(engine, jobs)
    for _ in range(WARM_UP):
        at_once(engine, jobs)
    heard: list[CallRecord] = []
    engine.dispatcher.runner.observers.append(heard.append)
    together = at_once(engine, jobs)
    engine.dispatcher.runner.observers.remove(heard.append)
    found = side_by_side(
        lambda: one_after_another(engine, jobs), lambda: at_once(engine, jobs), rounds, warm_up=0
    )
    ran = [record for record in heard if record.how == "ran"]
    return Throughput(
        case,
        sum(len(record.jobs) for record in ran),
        len(ran),
        max(difference(*pair, NUMBERS[case]) for pair in zip(alone, together, strict=True)),
        backbone_gain(bench, jobs[0]),
        found.least("cpu"),
        found.least("wall"),
        found.median("cpu"),
    )


def difference(one: Outcome, other: Outcome, numbers: type[Any]) -> float:
    """Between the numbers of two results; of a picture, in 256ths."""
    mine, theirs = (np.frombuffer(made.files[0].data, numbers) for made in (one, other))
    return float(np.abs(mine.astype(float) - theirs.astype(float)).max())


def backbone_gain(bench: Workbench, job: Assignment, times: int = 30) -> float:
    """CPU seconds of eight calls of the backbone, by those of the eight as one."""
    call = last_call(bench, job)
    module = bench.engine.residency.bring(call.component)
    eight = [call] * len(STEPS)
    (plan, *_) = plans(eight)
    args, kwargs = joined(plan, eight)
    with torch.inference_mode():
        single = least_cpu(lambda: call.run(module), times)
        batch = least_cpu(lambda: call.on(module)(*args, **kwargs), times)
    return len(eight) * single / batch


def last_call(bench: Workbench, job: Assignment) -> ComponentCall:
    """The last call of its backbone that the job makes."""
    seen: list[ComponentCall] = []
    dispatcher = bench.engine.dispatcher
    answer = dispatcher.memo.answer

    def listening(call: ComponentCall, *others: Any) -> Any:
        if call.component.kind == "backbone":
            seen.append(call)
        return answer(call, *others)

    dispatcher.memo.answer = listening  # type: ignore[method-assign]
    bench.engine.run(job)
    dispatcher.memo.answer = answer  # type: ignore[method-assign]
    return seen[-1]


def least_cpu(work: Callable[[], object], times: int) -> float:
    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(times))


def print_report(found: Sequence[Throughput]) -> None:
    steps = ", ".join(map(str, STEPS))
    print(f"eight jobs of {steps} steps, a moment apart; milliseconds for all of them, CPU")
    print(
        f"{'':8}{'one after another':>19}{'at once':>10}{'gain':>8}{'median':>8}{'wall':>8}"
        f"{'noise':>8}{'batch':>8}{'backbone':>10}{'difference':>12}"
    )
    for one in found:
        print(
            f"{one.case:8}{one.cpu.baseline:19.1f}{one.cpu.ours:10.1f}{1 / one.cpu.ratio:7.2f}×"
            f"{1 / one.median_cpu.ratio:7.2f}×{1 / one.wall.ratio:7.2f}×{one.cpu.noise:8.3f}"
            f"{one.batch:8.1f}{one.backbone_gain:9.2f}×{one.difference:12.1e}"
        )
    print(f"aim for nano: at least {AIM}×, tensors within {TOLERANCE:g}; prism's are of 256 shades")
    mean = statistics.mean(STEPS) * len(STEPS) / (max(STEPS) * len(STEPS))
    print(f"these lengths keep a batch of eight {mean:.0%} full at best")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    torch.set_num_threads(1)
    with workbench() as bench:
        found = [measure(bench, case, options.rounds) for case in options.cases or CASES]
    if options.json:
        print(json.dumps([{**asdict(one), "batch": one.batch} for one in found]))
    else:
        print_report(found)


if __name__ == "__main__":
    main()
