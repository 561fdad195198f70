"""What is measured on a GPU: each part a generator of figures, the most telling first."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks.gpu_figures import (
    Figure,
    backbone_call,
    best,
    flops,
    latency,
    mfu,
    mixed,
    rate,
    said,
    synchronize,
)
from benchmarks.gpu_models import Made
from omnifex.engine.engine import Engine, RunningJob


@dataclass(frozen=True)
class Sizes:
    """How much is done at a scale."""

    turbo_side: int
    turbo_pictures: int
    sdxl_side: int
    sdxl_steps: int
    flux_side: int
    flux_steps: int
    curve_side: int
    curve: Sequence[int]
    curve_steps: int
    trace_sides: Sequence[int]
    trace_steps: Sequence[int]
    trace_jobs: int
    compile: bool = True


FULL = Sizes(512, 50, 1024, 30, 1024, 28, 512, (1, 2, 4, 8, 16), 4, (512, 768, 1024), (4, 4, 5), 16)
TINY = Sizes(64, 3, 64, 2, 64, 2, 64, (1, 2), 2, (32, 64), (2, 3), 4)
WEIGHTS_OF_TRACE = (0.2, 0.3, 0.5)

Deadline = Callable[[], float]  # the seconds that a part has left


def turbo(made: Made, sizes: Sizes, left: Deadline) -> Iterator[Figure]:
    """One step, many pictures: what the host can launch in a second."""
    side, count = sizes.turbo_side, sizes.turbo_pictures
    pipeline, arguments = made.pipeline(), made.arguments(side, 1)
    title = f"1 step {side}²"
    flops(made, side)
    seconds = best(lambda: plain(pipeline, arguments), count)
    yield rate(f"diffusers eager, {title}", made, side, seconds, 1)
    for settings in variants(made, {"compile": "whole"} if sizes.compile else None):
        if left() < 0:
            return
        with made.engine(**settings) as engine:
            run = one_job(engine, made, side, 1, settings)
            for _ in range(4):
                run()
            yield rate(f"engine {said(settings)}, {title}", made, side, best(run, count), 1)


def sdxl(made: Made, sizes: Sizes, left: Deadline) -> Iterator[Figure]:
    yield from compared(made, sizes.sdxl_side, sizes.sdxl_steps, sizes.compile, left)


def flux(made: Made, sizes: Sizes, left: Deadline) -> Iterator[Figure]:
    yield from compared(made, sizes.flux_side, sizes.flux_steps, sizes.compile, left)


def compared(
    made: Made, side: int, steps: int, compiling: bool, left: Deadline
) -> Iterator[Figure]:
    """diffusers and the engine over the same modules: eager, compiled, and by graphs on top."""
    pipeline, arguments = made.pipeline(), made.arguments(side, steps)
    title = f"{steps} steps {side}²"
    flops(made, side)
    yield latency(
        f"diffusers eager, {title}", made, side, best(lambda: plain(pipeline, arguments), 2), steps
    )
    for settings in variants(made, {"compile": "blocks"} if compiling else None):
        how = said(settings)
        if left() < 0:
            return
        with made.engine(**settings) as engine:
            began = time.perf_counter()
            one_job(engine, made, side, 4, settings)()  # compiles, and records graphs
            more = {"warm_up_s": time.perf_counter() - began}
            ours = best(one_job(engine, made, side, steps, settings), 2)
            yield latency(f"engine {how}, {title}", made, side, ours, steps, more)
        if "compile" in settings:  # the modules are, whoever calls them
            theirs = best(lambda: plain(pipeline, arguments), 2)
            yield latency(f"diffusers {how}, {title}", made, side, theirs, steps)


def variants(made: Made, compiled: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Settings in the order in which each adds to what the modules have from those before."""
    yield {}
    if compiled:
        yield compiled
    if made.device.type == "cuda":
        yield {"graphs": True}


def curve(made: Made, sizes: Sizes, left: Deadline) -> Iterator[Figure]:
    """Jobs at once, their calls joined, from one to sixteen; beside it a static batch."""
    flops(made, sizes.curve_side)
    side, steps = sizes.curve_side, sizes.curve_steps
    with made.engine() as engine:
        engine_jobs(engine, made, side, steps, 2)  # the proof that calls may be joined
        for count in sizes.curve:
            if left() < 0:
                return
            engine_jobs(engine, made, side, 1, count)
            seconds, batched = engine_jobs(engine, made, side, steps, count)
            static = best(lambda count=count: forward(made, side, count), 3)
            yield Figure(
                f"{count} jobs at once, {side}²",
                count * steps / seconds,
                "steps/s",
                mfu(made, side, seconds, count * steps),
                more={"batched_with": batched, "static_batch_steps_per_s": count / static},
            )


def trace(made: Made, sizes: Sizes, left: Deadline) -> Iterator[Figure]:
    """Mixed jobs, arriving by chance as fast as they can be served, in two orders."""
    draw = random.Random(0)
    kinds = list(zip(sizes.trace_sides, sizes.trace_steps, strict=True))
    weights = WEIGHTS_OF_TRACE[-len(kinds) :]
    with made.engine() as engine:
        alone = {}
        for side, steps in kinds:
            run = one_job(engine, made, side, steps, {})
            alone[side] = best(run, 2)
        jobs = draw.choices(kinds, weights, k=sizes.trace_jobs)
        mean = statistics.mean(alone[side] for side, _ in jobs)
        arrivals = [0.0]
        for _ in jobs[1:]:
            arrivals.append(arrivals[-1] + draw.expovariate(1 / mean))
        served = first_come(jobs, arrivals, alone)
        yield mixed("first come, first served", jobs, served, alone)
        if left() < arrivals[-1] + mean * len(jobs):
            return
        yield mixed("engine", jobs, through(engine, made, jobs, arrivals), alone)


# How each is run


def plain(pipeline: Any, arguments: Mapping[str, Any]) -> None:
    with torch.inference_mode():
        pipeline(**arguments, generator=torch.Generator().manual_seed(0))


def one_job(
    engine: Engine, made: Made, side: int, steps: int, settings: Mapping[str, Any]
) -> Callable[[], object]:
    asked = made.assignment(side, steps, **settings)
    return lambda: engine.run(asked)


def engine_jobs(engine: Engine, made: Made, side: int, steps: int, count: int) -> tuple[float, int]:
    """Seconds for so many jobs at once, and the most that shared a call."""
    asked = [made.assignment(side, steps, seed) for seed in range(count)]
    synchronize(made.device)
    began = time.perf_counter()
    outcomes = [job.result() for job in [engine.start(one) for one in asked]]
    seconds = time.perf_counter() - began
    return seconds, max(outcome.metrics["batched_with"] for outcome in outcomes)


def through(
    engine: Engine, made: Made, jobs: Sequence[tuple[int, int]], arrivals: Sequence[float]
) -> list[float]:
    """Latencies of jobs that are started as they arrive."""
    began = time.perf_counter()
    running: list[tuple[RunningJob, float]] = []
    ends: dict[int, float] = {}
    for seed, ((side, steps), arrival) in enumerate(zip(jobs, arrivals, strict=True)):
        time.sleep(max(0.0, began + arrival - time.perf_counter()))
        job = engine.start(replace(made.assignment(side, steps, seed), id=f"trace-{seed}"))
        job.outcome.add_done_callback(
            lambda _, seed=seed: ends.update({seed: time.perf_counter() - began})
        )
        running.append((job, arrival))
    for job, _ in running:
        job.result()
    return [ends[seed] - arrival for seed, (_, arrival) in enumerate(running)]


def first_come(
    jobs: Sequence[tuple[int, int]], arrivals: Sequence[float], alone: Mapping[int, float]
) -> list[float]:
    """Latencies where each job has the device for itself, for as long as it took alone."""
    free, latencies = 0.0, []
    for (side, _), arrival in zip(jobs, arrivals, strict=True):
        free = max(free, arrival) + alone[side]
        latencies.append(free - arrival)
    return latencies


def forward(made: Made, side: int, count: int) -> None:
    """One call of the backbone with so many rows."""
    with torch.inference_mode():
        made.backbone(**backbone_call(made, side, count))
