"""One budget of memory for three models that share components, and memory that runs out.

    python -m benchmarks.memory [--jobs 24] [--json]

Three models share a text encoder and an autoencoder; the budget holds these and one and a half of
their backbones. A mix of jobs runs over them: with everything loaded per model, as is usual, and
through the engine. Then torch.OutOfMemoryError is raised at every call in turn, by a hook of
torch's on the modules, while jobs share batches. The classes are real, the weights random.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.vae import Decoder
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import CLIPTextModel

from benchmarks.memory_cases import MODELS, Trio
from omnifex.engine.engine import Assignment, Engine
from omnifex.engine.memory.residency import Residency
from omnifex.memory import shown
from omnifex.workbench import Workbench
from omnifex_registry.backbones.flow_transformer import FlowTransformer

CALLED = (CLIPTextModel, FlowTransformer, Decoder)  # what a job's component calls end in
STEPS = 4


@dataclass(frozen=True)
class Way:
    """One way of running the jobs: what was loaded, and what that took."""

    name: str
    failed: int
    loads: int
    shared_loads: int  # of the text encoder
    reloads: int
    loaded: int  # bytes
    most: int  # bytes of weights at once
    seconds: float


@dataclass(frozen=True)
class Shortages:
    """What became of jobs where memory ran out once in each run, at another call each time.

    Differences are from the same jobs alone; `undisturbed` is that of a run without a shortage.
    """

    sites: int
    jobs: int
    lost: int
    equal_bits: int
    largest_difference: float
    undisturbed: float


class Tally:
    """Counts what a residency loads, and the most that it holds; looked at after every call."""

    def __init__(self, residency: Residency) -> None:
        self.residency, self.most = residency, 0
        self._before: Counter[str] = Counter()

    def look(self, *_: object) -> None:
        self.most = max(self.most, self.residency.taken)


def mix(bench: Workbench, count: int) -> list[Assignment]:
    """Jobs over all models in an order that looks like chance."""
    order = random.Random(0)
    return [
        replace(
            bench.assignment(
                "trio",
                model=order.choice(MODELS),
                prompt=f"picture {number}",
                steps=STEPS,
                guidance=3.0,
                seed=number,
            ),
            id=f"job-{number}",
        )
        for number in range(count)
    ]


def per_model(bench: Workbench, jobs: Sequence[Assignment], budget: int) -> Way:
    """The usual way: a model is loaded as a whole, and unloaded when another one is asked for."""
    engines: list[Engine] = []
    began, most, last = time.perf_counter(), 0, None
    for job in jobs:
        if job.model.name != last:
            if engines:
                engines[-1].close()
            engines.append(Engine(memory=budget))
            last = job.model.name
            for component in job.model.components.values():
                engines[-1].residency.bring(component)
            most = max(most, engines[-1].residency.taken)
        engines[-1].run(job)
    loads = sum(engine.residency.loads for engine in engines)
    loaded = sum(job.model.bytes for job in starts(jobs))
    seconds = time.perf_counter() - began
    return Way("a model at a time", 0, loads, len(engines), loads - 5, loaded, most, seconds)


def starts(jobs: Sequence[Assignment]) -> list[Assignment]:
    """The jobs before which the model changes."""
    return [
        job
        for number, job in enumerate(jobs)
        if number == 0 or job.model.name != jobs[number - 1].model.name
    ]


def through_the_engine(jobs: Sequence[Assignment], budget: int, at_once: int) -> Way:
    """One residency for all models."""
    engine = Engine(memory=budget)
    tally = Tally(engine.residency)
    engine.dispatcher.runner.observers.append(tally.look)
    parts = {part.id: part for job in jobs for part in job.model.components.values()}
    began = time.perf_counter()
    with engine:
        ends = together(engine, jobs, at_once)
        seconds = time.perf_counter() - began
        loads = {part.id: engine.residency.loads_of(part) for part in parts.values()}
    shared = next(part for part in parts.values() if part.role == "text_encoder")
    return Way(
        f"the engine, {at_once} at once",
        sum(isinstance(made, Exception) for made in ends),
        sum(loads.values()),
        loads[shared.id],
        engine.residency.reloads,
        sum(loads[part.id] * part.bytes for part in parts.values()),
        tally.most,
        seconds,
    )


def together(engine: Engine, jobs: Sequence[Assignment], at_once: int | None = None) -> list[Any]:
    """How each job ended, so many at a time."""
    with ThreadPoolExecutor(at_once or len(jobs)) as pool:
        return list(pool.map(partial(end, engine), jobs))


def end(engine: Engine, job: Assignment) -> bytes | Exception:
    """What a job made, or what it failed with."""
    try:
        return engine.start(job).result(120).files[0].data
    except Exception as error:
        return error


@contextmanager
def shortage_at(site: int) -> Iterator[Counter[str]]:
    """Run out of memory once, where the modules are called for the `site`th time."""
    counted: Counter[str] = Counter()

    def look(module: nn.Module, inputs: Any) -> None:
        if isinstance(module, CALLED):
            counted["calls"] += 1
            if counted["calls"] == site:
                counted["shortages"] += 1
                raise torch.OutOfMemoryError("Tried to allocate 20.00 MiB (injected)")

    hook = register_module_forward_pre_hook(look)
    try:
        yield counted
    finally:
        hook.remove()


def every_site(run: Callable[[], list[Any]], expected: list[bytes]) -> Shortages:
    """One shortage a run, later each time, until a run ends before it comes."""
    sites = lost = equal = jobs = 0
    undisturbed = max(map(difference, run(), expected))
    largest = 0.0
    while True:
        with shortage_at(sites + 1) as counted:
            made = run()
        if not counted["shortages"]:
            return Shortages(sites, jobs, lost, equal, largest, undisturbed)
        sites += 1
        for found, wanted in zip(made, expected, strict=True):
            jobs += 1
            if isinstance(found, Exception):
                lost += 1
                continue
            equal += found == wanted
            largest = max(largest, difference(found, wanted))


def difference(one: bytes, other: bytes) -> float:
    first, second = (
        torch.frombuffer(bytearray(data), dtype=torch.float32) for data in (one, other)
    )
    distance: Tensor = (first - second).abs().max()
    return float(distance)


def measured(count: int) -> tuple[int, int, list[Way], dict[str, Shortages]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Workbench(Path(folder), [Trio(Path(folder))], entry_points=False) as bench,
    ):
        jobs = mix(bench, count)
        backbone = jobs[0].model.components["backbone"].bytes
        each = sum(bench.model(name).bytes for name in MODELS)
        budget = each // len(MODELS) + backbone // 2
        bench.engine.run(jobs[0])  # imports, first allocations
        ways = [per_model(bench, jobs, budget)]
        ways += [through_the_engine(jobs, budget, at_once) for at_once in (1, 4)]
        return each, budget, ways, shortages(jobs[:3], budget)


def shortages(jobs: Sequence[Assignment], budget: int) -> dict[str, Shortages]:
    """Of jobs that share batches, and of the same jobs as deterministic ones, whose bits hold."""
    model = jobs[0].model
    mates = [replace(job, model=model) for job in jobs]
    lonely = [
        replace(job, request=job.request.model_copy(update={"deterministic": True}))
        for job in mates
    ]
    found = {}
    for name, chosen in (("joined", mates), ("deterministic", lonely)):
        with Engine(memory=budget) as engine:
            expected = [engine.run(job).files[0].data for job in chosen]

            run = partial(together, engine, chosen)
            run()  # the proof that they may be joined
            found[name] = every_site(run, expected)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    torch.set_num_threads(1)
    each, budget, ways, survived = measured(options.jobs)
    if options.json:
        report = {"budget": budget, "ways": [asdict(way) for way in ways]}
        print(json.dumps(report | {name: asdict(found) for name, found in survived.items()}))
        return
    print(f"{options.jobs} jobs over 3 models of {shown(each)} together, budget {shown(budget)}")
    print(f"CPU, {os.cpu_count()} cores, one thread of torch, random weights\n")
    print(
        f"{'':24}{'failed':>7}{'loads':>7}{'encoder':>9}{'reloads':>9}{'read':>9}{'most':>9}{'s':>7}"
    )
    for way in ways:
        print(
            f"{way.name:24}{way.failed:7}{way.loads:7}{way.shared_loads:9}{way.reloads:9}"
            f"{shown(way.loaded):>9}{shown(way.most):>9}{way.seconds:7.1f}"
        )
    for name, found in survived.items():
        print(
            f"\nout of memory at each of {found.sites} calls in turn, {name} jobs: {found.lost} of "
            f"{found.jobs} lost, {found.equal_bits} with equal bits, largest difference "
            f"{found.largest_difference:.1e} (without a shortage {found.undisturbed:.1e})"
        )


if __name__ == "__main__":
    main()
